// What start-up touched and nothing needs again: dynamic linking, a TLS handshake and the loading of kernel
// programs map far more of the libraries than the work after them, and a small device pays for every page.
#pragma once

#include <cstddef>
#include <string_view>

namespace fieldwatch::agent {

/// Unmaps the clean pages of this process's files (code and constants, never a page that was written to) and
/// gives free heap back; what is needed again comes from the page cache. Returns how many bytes were told to
/// go.
std::size_t give_back_memory();

/// Whether one entry of /proc/self/smaps, from its address line on, names a mapping that is safe to unmap: of
/// a file, not writable, without a page of its own. `begin` and `end` are then its addresses. `maps` is the
/// whole of /proc/self/maps, which must have it too: a user-space emulator lets the machine's own smaps
/// through, whose addresses are others of ours.
bool is_clean_file_mapping(std::string_view entry, std::string_view maps, std::size_t& begin,
                           std::size_t& end);

}  // namespace fieldwatch::agent
