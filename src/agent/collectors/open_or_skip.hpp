// For the tests of the kernel programs.
#pragma once

#include <gtest/gtest.h>

#include <utility>

#include "agent/collectors/bpf_source.hpp"

/// The source, or a loud skip where this kernel or account does not let us.
#define OPEN_OR_SKIP(source, which, options)                                                              \
    auto source##_result = BpfSource::open(which, options);                                               \
    if (!source##_result) GTEST_SKIP() << "NOT TESTED, no BPF here: " << source##_result.error().message; \
    auto source = std::move(*source##_result)
