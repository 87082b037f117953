// Files that threat intelligence knows by their hash: a program that ran, a file or component that a device
// reports. Ours beside the catalogue: the published alerts know addresses and names only.
// docs/intelligence.md.
#pragma once

#include "detect/detector.hpp"

namespace fieldwatch::detect {

/// Without state: suppression is the alert book's.
class MaliciousFiles final : public Detector {
  public:
    static constexpr std::size_t kHashesMax = 16;  ///< looked up of one item

    void observe(const model::Event& event, Context& context) override;

  private:
    void judge(const model::Event& event, const model::Item& item, Context& context);

    std::vector<std::string_view> hashes_;  // scratch
};

/// The hashes that an item carries, as hex: of a process its image's, else whatever a field named after a
/// hash holds (`Hash`, `Sha256`, Sigma's `Hashes: MD5=…,SHA256=…`). At most MaliciousFiles::kHashesMax.
void hashes_of(const model::Item& item, std::vector<std::string_view>& out);

}  // namespace fieldwatch::detect
