// Chooses one of the candidates that top-k.cu left in each row, as core's sampling/sample.ts does; −1 where f32 cannot tell. A block a row, a
// thread a candidate. The filters leave a first part of the candidates, so each of them is a count.
#include "reduce.cuh"
#include "rows.cuh"

constexpr int SAMPLE_THREADS = 256;
// How far a sum or quotient of f32 may be off, as a share of all the mass: 256 terms of a few units in the last place each. What lies closer to a
// boundary than this is left to the host, which computes in f64: so the device never chooses otherwise than the host would.
constexpr float TOLERANCE = 3e-5f;

struct SampleArgs {
  const int* run;
  const int* ids;          // [taken, count]
  const float* values;     // [taken, count]
  const float* logSumExp;  // [taken]
  const float* settings;   // temperature, topK, topP, minP
  const float* u;          // [taken]
  int* out;                // [taken]
  int* next;               // [1]: the last row's choice
  int count, vocab;
};

// How many threads say yes. `places`: [MAX_WARPS]
GPU_DEVICE int countOf(bool yes, Shared<int> places) {
  const int ofWarp = __builtin_popcount(__ballot_sync(ALL_LANES, yes));
  __syncthreads();
  if (threadIdx.x % WARP == 0) places[threadIdx.x / WARP] = ofWarp;
  __syncthreads();
  int count = 0;
  for (int i = 0; i < SAMPLE_THREADS / WARP; i++) count += places[i];
  return count;
}

GPU_DEVICE bool isFinite(float value) { return (floatAsInt(value) & 0x7f800000) != 0x7f800000; }

// How many candidates are surely left, and how many perhaps; and how much the tokens that are no candidates weigh: in [low, high].
struct Kept {
  int count;
  bool isSure;
  float low, high;
};

// A filter decides where it keeps a count that is sure, and less than what was there or nothing else was there.
GPU_DEVICE Kept filtered(Kept before, int surely, int perhaps) { return {surely, before.isSure && surely == perhaps && (surely < before.count || before.high == 0.0f), 0.0f, 0.0f}; }

GPU_KERNEL_BOUNDS(sample, SampleArgs, SAMPLE_THREADS) {
  GPU_SHARED(float, sums, SAMPLE_THREADS);   // of the weights at the temperature, up to and with each candidate
  GPU_SHARED(float, plain, SAMPLE_THREADS);  // at 1
  GPU_SHARED(int, places, MAX_WARPS);
  const int row = blockIdx.x, lane = threadIdx.x;
  const int* ids = rowAt(args.ids, row, args.count);
  const float* values = rowAt(args.values, row, args.count);
  const float logSumExp = args.logSumExp[row], u = args.u[row];
  const bool isGreedy = args.settings[0] == 0.0f;
  const float temperature = isGreedy ? 1.0f : args.settings[0], topP = args.settings[2], minP = args.settings[3];
  const int topK = static_cast<int>(args.settings[1]);

  // Places that nothing fills, and logits of −∞, come last. The host throws for NaN and +∞.
  const bool isPlace = lane < args.count;
  const float value = isPlace ? values[lane] : -INFINITE, best = values[0];
  const bool isListed = isPlace && ids[lane] >= 0 && value != -INFINITE;
  const int listed = countOf(isListed, places), last = most(listed, 1) - 1;
  const bool isSound = countOf(isListed && !isFinite(value), places) == 0 && isFinite(logSumExp);
  const bool isComplete = args.count >= args.vocab || listed < args.count;
  const float below = isListed ? value - best : 0.0f;  // ≤ 0
  const float weight = isListed ? exponential(below / temperature) : 0.0f;
  sums[lane] = weight;
  plain[lane] = isListed ? exponential(below) : 0.0f;
  __syncthreads();
  for (int distance = 1; distance < args.count; distance *= 2) {
    const float sum = sums[lane] + (lane >= distance ? static_cast<float>(sums[lane - distance]) : 0.0f);
    const float ofPlain = plain[lane] + (lane >= distance ? static_cast<float>(plain[lane - distance]) : 0.0f);
    __syncthreads();
    sums[lane] = sum;
    plain[lane] = ofPlain;
    __syncthreads();
  }
  const float before = lane > 0 ? static_cast<float>(sums[lane - 1]) : 0.0f, through = sums[lane];

  // See unlistedWeight in core's sampling/filters.ts.
  Kept kept = {listed, listed > 0, 0.0f, 0.0f};
  if (!isComplete) {
    const float total = exponential(logSumExp - best), margin = total * (TOLERANCE + 2.4e-7f * (8.0f + magnitude(logSumExp))), lowest = values[last] - best;
    kept.low = temperature == 1.0f ? most(0.0f, total - margin - plain[last]) : 0.0f;
    kept.high = most(0.0f, total + margin - plain[last]);
    if (temperature < 1.0f) kept.high *= exponential(lowest / temperature - lowest) * (1.0f + TOLERANCE);
    if (temperature > 1.0f) kept.high = 1e30f;  // more than any sum of weights: nothing is known of it
  }
  // topK: ties with the k-th stay.
  const float worst = values[least(most(topK, 1) - 1, last)];
  const int notWorse = countOf(isListed && value >= worst, places);
  if (topK > 0) kept = {notWorse, kept.isSure && (isComplete || (topK <= listed && notWorse < listed)), 0.0f, 0.0f};
  // topP: a candidate stays while what comes before it is less than topP of all.
  float mass = sums[most(kept.count, 1) - 1];
  const float allLow = mass + kept.low, allHigh = mass + kept.high;
  const int surelyInP = countOf(lane < kept.count && (lane == 0 || before < topP * allLow - TOLERANCE * allLow), places);
  const int perhapsInP = countOf(lane < kept.count && before <= topP * allHigh + TOLERANCE * allHigh, places);
  if (topP < 1.0f) kept = filtered(kept, surelyInP, perhapsInP);
  // minP: at least that share of the best one's weight, which is 1.
  const int surelyInM = countOf(lane < kept.count && (lane == 0 || weight > minP * (1.0f + TOLERANCE)), places);
  const int perhapsInM = countOf(lane < kept.count && weight >= minP * (1.0f - TOLERANCE), places);
  if (minP > 0.0f) kept = filtered(kept, surelyInM, perhapsInM);

  // The first candidate whose cumulative weight exceeds u of all.
  mass = sums[most(kept.count, 1) - 1];
  const int surelyPassed = countOf(lane < kept.count && through < (u - TOLERANCE) * (mass + kept.low), places);
  const int perhapsPassed = countOf(lane < kept.count && through <= (u + TOLERANCE) * (mass + kept.high), places);
  if (lane != 0) return;
  const int entry = isGreedy ? 0 : surelyPassed;
  const bool isSure = listed > 0 && isSound && (isGreedy || (kept.isSure && surelyPassed == perhapsPassed && entry < kept.count));
  args.out[row] = isSure ? ids[least(entry, last)] : -1;
  if (row + 1 == static_cast<int>(gridDim.x)) args.next[0] = args.out[row];
}
