// The server's own certificate authority, made at first start: TLS works before anybody has bought a
// certificate, and devices trust one file, ca.pem.
#pragma once

#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file_system.hpp"
#include "base/result.hpp"

namespace fieldwatch::net {

struct CertificateOptions {
    std::string directory;  ///< holds ca.pem, ca-key.pem, server.pem (leaf, then CA), server-key.pem
    /// Host names and addresses beyond localhost, 127.0.0.1, ::1 and this machine's own name.
    std::vector<std::string> names;
};

struct Certificates {
    std::string ca_pem;
    std::string chain_pem;  ///< leaf first, then the CA
    std::string key_pem;    ///< of the leaf
    bool ca_made = false;
    bool server_made = false;  ///< new, or renewed: near its end, or other names
};

/// Opens the directory's certificates; makes what is missing. The CA lasts ten years and is never replaced
/// silently (devices trust it); the server's lasts 397 days and is made again in its last 30, or when `names`
/// changed. Keys are EC P-256, files 0600. Errors: Malformed (a file there is not what it should be), Io.
Result<Certificates> open_certificates(const CertificateOptions& options, FileSystem& files,
                                       const Clock& clock);

}  // namespace fieldwatch::net
