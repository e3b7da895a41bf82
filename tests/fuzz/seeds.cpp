// Writes small valid files of every kind for the fuzz targets to start from: fuzz_seeds FOLDER
// fills FOLDER/image and FOLDER/pth.
#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "tests/core/torch_bytes.h"
#include "tests/data/encoded_images.h"

using namespace shiftadd;
using namespace shiftadd::test;

namespace {

class Folder {
 public:
  explicit Folder(std::string path) : path_(std::move(path)) {
    std::filesystem::create_directories(path_);
  }
  void add(const std::string& bytes) {
    std::ofstream(concat(path_, "/made-", ++count_), std::ios::binary) << bytes;
  }
  void add(const Bytes& bytes) { add(std::string(bytes.begin(), bytes.end())); }

 private:
  std::string path_;
  int count_ = 0;
};

void write_pngs(Folder& out) {
  struct Form {
    uint8_t color, depth;
  };
  for (const Form form : {Form{0, 1},
                          {0, 2},
                          {0, 4},
                          {0, 8},
                          {0, 16},
                          {2, 8},
                          {2, 16},
                          {3, 1},
                          {3, 2},
                          {3, 4},
                          {3, 8},
                          {4, 8},
                          {4, 16},
                          {6, 8},
                          {6, 16}})
    for (const bool interlaced : {false, true}) {
      PngMaker png{.width = 11, .height = 9, .depth = form.depth, .color = form.color};
      png.interlaced = interlaced;
      if (form.color == 3) png.palette = Bytes(std::size_t{3} << form.depth, 77);
      if (form.color == 2)
        png.before = png_chunk("eXIf", Bytes{'I', 'I', 42, 0, 8, 0, 0, 0, 1, 0, 0x12,
                                             1,   3,   0,  1, 0, 0, 0, 6, 0, 0, 0});
      out.add(png.file());
    }
}

void write_bmps(Folder& out) {
  for (const uint16_t bits : {1, 4, 8, 16, 24, 32})
    for (const uint32_t header : {12, 16, 40, 52, 56, 64, 108, 124}) {
      BmpMaker bmp{.header = header, .bits = bits};
      if (bits <= 8) bmp.palette = Bytes((header == 12 ? std::size_t{3} : 4) << bits, 90);
      bmp.pixels = Bytes(60, 0x21);
      out.add(bmp.file());
      if (bits % 16 != 0 || header < 40 || header == 64) continue;
      bmp.compression = 3;
      bmp.masks = bits == 16 ? std::vector<uint32_t>{0xF800, 0x07E0, 0x001F}
                             : std::vector<uint32_t>{0xFF0000, 0xFF00, 0xFF};
      out.add(bmp.file());
    }
}

void write_gifs(Folder& out) {
  for (const uint8_t code_size : {2, 4, 8})
    for (const bool interlaced : {false, true}) {
      GifMaker gif{.canvas_width = 9, .canvas_height = 11, .left = 1, .top = 1};
      gif.width = 8;
      gif.height = 10;
      gif.interlaced = interlaced;
      (interlaced ? gif.local : gif.global) = Bytes(std::size_t{3} << code_size, 60);
      if (interlaced) gif.global = Bytes(6, 3);
      gif.transparent = interlaced ? 1 : -1;
      gif.code_size = code_size;
      for (uint32_t i = 0; i < 80; ++i) gif.indices.push_back(i % (1u << code_size));
      out.add(gif.file());
    }
}

void write_jpegs(Folder& out) {
  for (const int components : {1, 3, 4})
    for (int form = 0; form < 6; ++form) {
      JpegMaker jpeg{.width = 21, .height = 18, .components = components};
      jpeg.progressive = form % 3 == 1;
      jpeg.separate = form % 3 == 2;
      jpeg.arithmetic = form >= 3;
      out.add(jpeg.file());
    }
}

void write_checkpoints(Folder& out) {
  const std::string floats = bytes_of(std::vector<float>{0, 1, 2, 3, 4, 5});
  const std::string one =
      PickleBytes().dict().text("w").tensor("0", 6, {2, 3}, {3, 1}).set().stop();
  const std::string nested = PickleBytes()
                                 .dict()
                                 .text("state_dict")
                                 .dict()
                                 .text("a.weight")
                                 .tensor("0", 6, {3, 2}, {1, 3})
                                 .set()
                                 .text("b.bias")
                                 .tensor("1", 6, {2}, {1}, 3)
                                 .set()
                                 .set()
                                 .text("epoch")
                                 .number(7)
                                 .set()
                                 .stop();
  for (const auto& pack : {torch_zip, torch_legacy}) {
    out.add(pack(one, {floats}));
    out.add(pack(nested, {floats, floats}));
  }
  out.add(one);
  out.add(nested);
}

}  // namespace

int main(int count, char** words) {
  if (count != 2) return 2;
  const std::string folder = words[1];
  Folder images(folder + "/image"), checkpoints(folder + "/pth");
  write_pngs(images);
  write_bmps(images);
  write_gifs(images);
  write_jpegs(images);
  write_checkpoints(checkpoints);
}
