#include "detect/behaviour/tail_model.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.hpp"

namespace fieldwatch::detect {
namespace {

TEST(TailModel, IsCalibratedWithinWhatItSaw) {
    SeededRandom random(3);
    TailModel tail;
    const auto draw = [&] { return -std::log((static_cast<double>(random.below(100'000)) + 1) / 100'001.0); };
    for (int i = 0; i < 5000; ++i)
        tail.add(draw());
    int rare = 0;
    for (int i = 0; i < 20'000; ++i)
        rare += tail.probability(draw()) < 0.01;
    EXPECT_NEAR(rare / 20'000.0, 0.01, 0.007);
    EXPECT_EQ(TailModel().probability(5), 1);
}

TEST(TailModel, IsTheSameAfterItWasSaved) {
    TailModel tail;
    for (int i = 0; i < 400; ++i)
        tail.add(i % 17);
    Bytes saved;
    ByteWriter writer(saved);
    tail.save(writer);
    TailModel again;
    ByteReader reader(saved);
    ASSERT_TRUE(again.restore(reader));
    for (const double score : {0.0, 3.0, 16.0, 40.0})
        EXPECT_EQ(tail.probability(score), again.probability(score));
    ByteReader half(ByteView(saved).first(saved.size() / 2));
    EXPECT_FALSE(again.restore(half));
}

}  // namespace
}  // namespace fieldwatch::detect
