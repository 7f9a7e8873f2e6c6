// Processor time of libjxl's ComputeSSIMULACRA2 on two 8-bit sRGB images, without reading them:
//
//     libjxl_ssimulacra2 REF.ppm DIST.ppm [ROUNDS]      prints "SCORE SECONDS", the least of the rounds
//
// bench/libjxl_ssimulacra2.sh builds it from a checkout of libjxl.

#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <utility>
#include <vector>

#include "lib/jxl/codec_in_out.h"
#include "tools/ssimulacra2.h"

static void Read(const char* path, jxl::CodecInOut* image) {
  FILE* file = fopen(path, "rb");
  int width, height, largest;
  if (!file || fscanf(file, "P6 %d %d %d", &width, &height, &largest) != 3 || largest != 255) {
    fprintf(stderr, "%s is no binary PPM with 8 bits\n", path);
    exit(2);
  }
  fgetc(file);
  jxl::Image3F planes(width, height);
  std::vector<unsigned char> row(3 * width);
  for (int y = 0; y < height; ++y) {
    if (fread(row.data(), 1, row.size(), file) != row.size()) exit(2);
    for (int c = 0; c < 3; ++c)
      for (int x = 0; x < width; ++x) planes.PlaneRow(c, y)[x] = row[3 * x + c] / 255.0f;
  }
  fclose(file);
  image->metadata.m.SetFloat32Samples();
  image->metadata.m.color_encoding = jxl::ColorEncoding::SRGB();
  image->SetFromImage(std::move(planes), jxl::ColorEncoding::SRGB());
}

static double Seconds() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return time.tv_sec + 1e-9 * time.tv_nsec;
}

int main(int count, char** words) {
  if (count < 3) return 2;
  jxl::CodecInOut ref, dist;
  Read(words[1], &ref);
  Read(words[2], &dist);
  double least = 1e9, score = 0;
  for (int rounds = count > 3 ? atoi(words[3]) : 1; rounds > 0; --rounds) {
    const double start = Seconds();
    score = ComputeSSIMULACRA2(ref.Main(), dist.Main()).Score();
    const double spent = Seconds() - start;
    if (spent < least) least = spent;
  }
  printf("%.6f %.4f\n", score, least);
}
