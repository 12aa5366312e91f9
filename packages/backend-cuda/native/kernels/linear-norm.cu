// As linear-vector.cu, for a row alone, and then the norms of what was computed: by the block that is the last to finish.
#include "vector-product.cuh"

GPU_KERNEL_OCCUPANCY(linear_norm, VectorArgs, VECTOR_THREADS, 2) {
  GPU_SHARED(float, results, MAX_BLOCK_OUTPUTS);
  GPU_SHARED(float, places, MAX_WARPS);
  GPU_SHARED(int, tickets, 1);
  vectorProduct(args, floatRowOf(args), results);
  normsOfProduct(args, places, tickets);
}

GPU_KERNEL_OCCUPANCY(linear_norm_coded, VectorArgs, VECTOR_THREADS, 2) {
  GPU_SHARED(float, results, MAX_BLOCK_OUTPUTS);
  GPU_SHARED(float, places, MAX_WARPS);
  GPU_SHARED(int, tickets, 1);
  vectorProduct(args, codedRowOf(args), results);
  normsOfProduct(args, places, tickets);
}
