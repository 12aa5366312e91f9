// What becomes of a sum of products.
#pragma once
#include "rows.cuh"

// `Args` has bias [outWidth], factor [rows, outWidth] and add [rows, addStride], each or none, and isGelu.
template <typename Args>
GPU_DEVICE float finishSum(const Args& args, int row, int output, int outWidth, float sum) {
  if (args.bias != nullptr) sum += args.bias[output];
  if (args.isGelu) sum = gelu(sum);
  if (args.factor != nullptr) sum *= rowAt(args.factor, row, outWidth)[output];
  if (args.add != nullptr) sum += rowAt(args.add, row, args.addStride)[output];
  return sum;
}
