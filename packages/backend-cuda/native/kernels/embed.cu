// out[r] = table[ids[r]] · scale. A block a row; a thread takes fours of columns.
#include "weights.cuh"

struct EmbedArgs {
  const int* run;
  const int* ids;  // [rows]
  Planes table;    // [vocab, width]
  float* out;      // [rows, width]
  int type, vocab, width;
  float scale;
};

template <int TYPE>
GPU_DEVICE void embedRow(const EmbedArgs& args) {
  const int id = args.ids[blockIdx.x];
  const Row<TYPE> row = rowOf<TYPE>(args.table, id < 0 || id >= args.vocab ? 0 : id, ceilDiv(args.width, GROUP));
  float* out = rowAt(args.out, blockIdx.x, args.width);
  for (int column = 4 * threadIdx.x; column < args.width; column += 4 * blockDim.x) {
    const float4 four = fourOf<TYPE>(row, column / GROUP, column % GROUP / 4);
    const float values[4] = {four.x, four.y, four.z, four.w};
    for (int i = 0; i < 4; i++)
      if (column + i < args.width) out[column + i] = values[i] * args.scale;
  }
}

GPU_KERNEL(embed, EmbedArgs) {
  switch (args.type) {
    FOR_PLAIN_ENCODINGS(embedRow<TYPE>(args))
    FOR_BLOCK_ENCODINGS(embedRow<TYPE>(args))
  }
}
