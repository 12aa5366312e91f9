// Matrix times vector over f32 activations, or over codes where all weights are block-encoded: vector-product.cuh.
#include "vector-product.cuh"

GPU_KERNEL_OCCUPANCY(linear_vector, VectorArgs, VECTOR_THREADS, 4) {
  GPU_SHARED(float, results, MAX_BLOCK_OUTPUTS);
  vectorProduct(args, floatRowOf(args), results);
}

GPU_KERNEL_OCCUPANCY(linear_vector_coded, VectorArgs, VECTOR_THREADS, 3) {
  GPU_SHARED(float, results, MAX_BLOCK_OUTPUTS);
  vectorProduct(args, codedRowOf(args), results);
}
