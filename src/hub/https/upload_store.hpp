// Where devices' files lie: an embedded blob endpoint of the one shape that device SDKs speak: a SAS URI,
// block blobs put whole or in blocks. Source: spec/iot-hub-protocols.md section 6.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/random.hpp"
#include "model/ids.hpp"

namespace fieldwatch::hub {

inline constexpr std::string_view kUploadContainer = "fieldwatch-uploads";
inline constexpr std::size_t kBlockBytesMax = 16u << 20;  ///< SDKs send 4 to 8 MiB at once
inline constexpr std::size_t kBlocksMax = 4'096;

/// A blob's place: container/hub/device/name as in its URI.
struct BlobName {
    model::HubName hub;
    model::DeviceId device;
    std::string blob;  ///< may hold slashes
};

/// Any thread; blocks on the disk. A blob is durable when put() or commit() returns. On disk names are
/// hashes, so that no device chooses a path.
class UploadStore {
  public:
    UploadStore(FileSystem& files, std::string directory, Random& random);

    /// `?sv=…&sr=b&se=…&sp=rcw&sig=…` for one blob until `expiry`, under a secret of this run.
    std::string sign(const BlobName& name, Timestamp expiry) const;
    bool verify(const BlobName& name, std::string_view expiry_text, std::string_view signature,
                Timestamp now) const;

    Result<void> put(const BlobName& name, std::string_view content);
    Result<void> put_block(const BlobName& name, std::string_view block_id, std::string_view content);
    /// Makes the blob of blocks that were put, in this order. Errors: NotFound (a block that was not).
    Result<void> commit(const BlobName& name, const std::vector<std::string>& block_ids);
    Result<std::string> get(const BlobName& name) const;
    Result<std::uint64_t> size(const BlobName& name) const;

  private:
    Result<void> make_room(const BlobName& name) const;
    std::string path(const BlobName& name, std::string_view block_id = {}) const;

    FileSystem* files_;
    std::string directory_;
    std::string secret_;
};

}  // namespace fieldwatch::hub
