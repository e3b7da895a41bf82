// What the programs computed when this table was last written, as digests, and the check against
// it. A change that is meant to keep all arithmetic leaves the table alone. One that is meant to
// change some of it replaces the rows that failing cases print.
#pragma once

#include <algorithm>
#include <map>
#include <sstream>
#include <string>

#include "core/io/files.h"
#include "core/io/safetensors.h"
#include "tests/support/support.h"

namespace shiftadd::test {

// A row is a SHA-256 and what it is of. It serves for every instruction set and every unit of int8
// products, because all of them must give the same bits. Random numbers and training call the C
// library's exp, log, pow, sin and cos: where only "trained" and "logits deit" rows fail, and on
// another C library than glibc 2.36, that library may be the reason.
inline const char* const kDigests = R"(
76887a74343da10e09ac6b2b4d9177e2baac4778ad7086beb69cd854f7c1eab4  logits deit_tiny float32
5bc66251f987652c1627ae5aa3025e990f3d7ef0ba34bb5ce89e238f34aa6727  logits deit_tiny int8
c0094db4bed2f6f4cedc94fd9235c29570f7889bc757767834fe96c4b653fc7c  logits deit_tiny_shiftadd int8
ca9e228dbfb968a425ce331a688e98e0562414d7113dc8a3b0163a394ea3557e  logits vit_micro
a019076beea9b61053df63c50096e873fb11ae67da87228ef8e635b312d6d69e  logits micro_shiftadd_full
4450d94e8fd1356fe9df6640e9c4dc46169f380f5a590e8531ac8b577c40c49c  trained dense
c71111fad0447639995d578ed344f8e9a80165a0ece527d91f1b58cac99115c2  trained stages/add
461cf17348e7c2de46eb5001fdb5116a5ba433c0a4d38b974e05d29a29c9010f  trained stages/shift
e589cd7639e09ed89fd3fd9c9fea065d2dbb013e8436adf32240f18c2a04d99a  trained two_bits/add
f807e097084292cefd4778bb85e1671e8e10803ed4ed9a3f897b5b7749be8d63  trained two_bits/shift
728fa497f6393a2180d2b8cdbbe21c14ca46caac86a71a81a8869c433e938da1  packed vit_micro bf16
edabccef4541dc602e3c1dbedab7c543789facd70f2cc381eb614091681ded46  packed vit_micro float32
88e316c43f85ca8130c1c122f9b2343f965b107d6ae9a9cfd1026037a90618b0  packed vit_micro int8
770df76f3719a85e5bca24aa463a93e19956491f0170d88c26d02b801a4ebd19  packed micro_shiftadd_full bf16
2026c65d21e657fa2d10ca53d3431e3b9cf24c25109c795c8a30b0df3134b6fc  packed micro_shiftadd_full float32
d9d3a1ff97b65a1753f09c20bbb64bb9de50faa9123d3d2f43ce042bf6947833  packed micro_shiftadd_full int8
89eb82b6ffe4de568d62b5de56aacc5b8228f56e6df39f70551fb31ff088211d  count deit_base_patch16_224
921d69a00f6a17a8b4f0bc6ef15a317c6a561888f562eeb85268c03da8489c98  json deit_base_patch16_224
26aa5a4b3f2e5b9347c33da300f15501188bfd14ca98dd276128a6e316394c17  count deit_small_patch16_224
955e19faf1cf2ab35086b015beaa076c109c80ecdee1af6d2453aa6f5da096eb  json deit_small_patch16_224
3d1b4f27baf632864854f8c8951159eae15953b1cb6826df5d1d62cf1eac6f79  count deit_tiny_patch16_224
9a68634197661f41816e7088b10bc379730627fb11ea3d14776487fc75a0c042  json deit_tiny_patch16_224
9210685e9eebde88bee436ea3b09fb6349c09908bd782aaf185b11f21328ced1  count deit_tiny_shiftadd.json
5a4069a8ae7615d6e19529a099a4bb5f40aecce4c53bda699383a301dc8d8264  json deit_tiny_shiftadd.json
419b26b3f809473725ea428878a3ba86a930501c7eb5e3b7f7e81535ce5f075e  count vit_base_patch16_224
60b820ab1d1de8d8f2f291c51d4ea4043aff9ee784c1f95b831acfa279dad843  json vit_base_patch16_224
9f99bdcc62515a902ba698672221a80aaa1096977d305cb121e77541d0eb22b6  count vit_cifar
7e620da0fbe5897d894b448e942fa0bcdc20a6c78265e1c0317aac65af6879eb  json vit_cifar
9f99bdcc62515a902ba698672221a80aaa1096977d305cb121e77541d0eb22b6  count vit_cifar.json
7e620da0fbe5897d894b448e942fa0bcdc20a6c78265e1c0317aac65af6879eb  json vit_cifar.json
0c65d57ae1f70211d1dd971dea4112954fddbd0952d5cb38f57676073b0649f3  count vit_cifar_192
7c84c15d7e9e34f454a962f858d7f5d60f76bdbcd97145237c85d964fd254376  json vit_cifar_192
4aafa970a082d962febe8f2030630810e8d41971be9ddc1b36b5b12740db1afa  count vit_cifar_192_add.json
0c24ff7097ecfc283a0641a74dc46f0a75f0add5898f9869122f39b040719613  json vit_cifar_192_add.json
4babd7970bf6acd51a0f63bda03b6c291ac1d9a489c35f6f01afa3939af714e0  count vit_cifar_192_shiftadd.json
56020eb3448b3e064e588f3cd24ae038cf2811df3d6d5ad264f512b18407ffa1  json vit_cifar_192_shiftadd.json
603807f0fb1c6d186a538f0ee6b9056a5f276a362c3ee647539af2a2c0406896  count vit_cifar_visiontriad.json
02e4b2bfce23ec07e6c19ef27ed3e8921b4195817b5ae3fd9cb647909c97fe84  json vit_cifar_visiontriad.json
bf4c54b3c100259732e539b923540de6fc5460ec19020f0eb99e4e795df9618e  count vit_micro
5286f79d03a464a17fb91e6032e1c711c23cadeb6bf9900917d8662000dd64e2  json vit_micro
f0a19f8681f76a1b388f4cc5f9f333d86daad7129f370483f1265b94e1f15ee3  count vit_small_patch16_224
ed86c912b9d9538aaf9804e541719a1ff2444be657910dd6e95fcdec7bc886b8  json vit_small_patch16_224
0ccd552c49c66bb09fc835face6c1e17e4255e26d57f027d2c0c80e3d0fbd8aa  count vit_tiny_patch16_224
96c346e6026d1342a8d622283a59920d7cb62e96d933276427ed4db5a20270f9  json vit_tiny_patch16_224
)";

/// The digest of each name in kDigests.
inline const std::map<std::string, std::string>& known_digests() {
  static const std::map<std::string, std::string> known = [] {
    std::map<std::string, std::string> digests;
    std::istringstream lines(kDigests);
    std::string hex, name;
    while (lines >> hex && std::getline(lines >> std::ws, name)) digests[name] = hex;
    return digests;
  }();
  return known;
}

inline void check_digest(const std::string& name, const std::string& hex) {
  const auto found = known_digests().find(name);
  const bool same = found != known_digests().end() && found->second == hex;
  CHECK_MESSAGE(same, "the row of kDigests would now be\n" << hex << "  " << name);
}

inline std::string digest_of(const std::string& bytes) {
  Sha256 sum;
  sum.update(bytes.data(), bytes.size());
  return sum.hex();
}

/// Of the names, types, shapes and bytes of a safetensors file's tensors, in whatever order they
/// stand there. Its metadata takes no part.
inline std::string digest_of_tensors(const std::string& path) {
  TensorFile file = read_safetensors(path);
  REQUIRE(!file.tensors.empty());
  REQUIRE(file.unread.empty());
  std::sort(file.tensors.begin(), file.tensors.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  Sha256 sum;
  for (const auto& [name, tensor] : file.tensors) {
    const std::string head = concat(name, " ", tensor.dtype(), " ", tensor.shape(), "\n");
    sum.update(head.data(), head.size());
    sum.update(tensor.raw(), tensor.bytes());
  }
  return sum.hex();
}

}  // namespace shiftadd::test
