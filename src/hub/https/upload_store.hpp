// Where devices' files lie: an embedded blob endpoint of the one shape that device SDKs speak: a SAS URI,
// block blobs put whole or in blocks. Source: spec/iot-hub-protocols.md section 6.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/metrics.hpp"
#include "base/random.hpp"
#include "model/ids.hpp"
#include "net/mailbox.hpp"

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
/// hashes, so that no device chooses a path. Blocks wait for their commit no longer than the address they
/// were put under is good for: a restart ends all addresses, and with them goes every block.
class UploadStore {
  public:
    /// Of blocks that wait: a blob's largest size eight times, and their number, about 10 MB of names. Above
    /// either the blob goes whose address ends first.
    struct Limits {
        std::uint64_t waiting_bytes_max = 2ull << 30;
        std::size_t waiting_blocks_max = 65'536;
    };
    /// Removes what a run before left half-done.
    UploadStore(FileSystem& files, std::string directory, Random& random, Metrics& metrics, Limits limits);
    UploadStore(FileSystem& files, std::string directory, Random& random, Metrics& metrics)
        : UploadStore(files, std::move(directory), random, metrics, Limits{}) {}

    /// `?sv=…&sr=b&se=…&sp=rcw&sig=…` for one blob until `expiry`, under a secret of this run.
    std::string sign(const BlobName& name, Timestamp expiry) const;
    bool verify(const BlobName& name, std::string_view expiry_text, std::string_view signature,
                Timestamp now) const;

    Result<void> put(const BlobName& name, std::string_view content);
    /// Kept until `until`, the end of the address.
    Result<void> put_block(const BlobName& name, std::string_view block_id, std::string_view content,
                           Timestamp until);
    /// Makes the blob of blocks that were put, in this order; the others go. Errors: NotFound (a block that
    /// was not put, or is gone).
    Result<void> commit(const BlobName& name, const std::vector<std::string>& block_ids);
    Result<std::string> get(const BlobName& name) const;
    Result<std::uint64_t> size(const BlobName& name) const;
    /// Removes blocks whose time is over. Now and then, on a worker.
    void sweep(Timestamp now);

  private:
    /// Of one blob, what waits for its commit.
    struct Waiting {
        std::map<std::string, std::uint64_t> blocks;  ///< size by path
        std::uint64_t bytes = 0;
        Timestamp until;
    };
    struct State {
        std::map<std::string, Waiting> blobs;  ///< by path
        std::uint64_t bytes = 0;
        std::size_t blocks = 0;

        void put_back(const std::string& path, Waiting waiting);
        Waiting take(const std::string& path);
    };
    void clean();
    void remove_blocks(const Waiting& waiting);
    void drop(const std::vector<Waiting>& dropped);
    Result<std::uint64_t> join(const std::string& whole, const BlobName& name,
                               const std::vector<std::string>& block_ids) const;
    Result<void> make_room(const BlobName& name) const;
    std::string path(const BlobName& name, std::string_view block_id = {}) const;

    FileSystem* files_;
    std::string directory_;
    std::string secret_;
    Limits limits_;
    Counter& dropped_;
    net::Guarded<State> state_;
};

}  // namespace fieldwatch::hub
