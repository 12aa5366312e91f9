import { bufferOf, createBindings, f32, type Kernel, rowsOf, rowsWgsl, u32, widthOf } from './kernel.ts'

/**
 * How far a sum or quotient of f32 may be off, as a share of all the mass: 256 terms of a few units in the last place each. What lies closer to a
 * boundary than this is left to the host, which computes in f64: so the device never chooses otherwise than the host would.
 */
const TOLERANCE = 3e-5
/** More than any sum of weights: the weight of the unlisted tokens where nothing is known of it. WGSL has no infinity. */
const UNKNOWN = 1e30

/** One workgroup a row, a thread a candidate. The filters leave a first part of the candidates, so each of them is a count. */
export const sample: Kernel<'sample'> = (step, { place }) => {
  const ids = place(step.ids)
  const count = widthOf(ids)
  const bindings = createBindings()
  const idsName = bindings.read('ids', bufferOf(ids), 'i32')
  const values = bindings.read('values', bufferOf(place(step.values)))
  const logSumExp = bindings.read('log_sum_exp', bufferOf(place(step.logSumExp)))
  const settings = bindings.read('settings', bufferOf(place(step.settings)))
  const u = bindings.read('uniforms', bufferOf(place(step.u)))
  const out = bindings.write('out', bufferOf(place(step.out)), 'i32')
  const next = bindings.write('next', bufferOf(place(step.next)), 'i32')
  const isWhole = count >= step.vocabSize
  return [
    {
      label: 'sample',
      buffers: bindings.buffers,
      grid: (args) => [rowsOf(ids, args), 1, 1],
      wgsl: `${bindings.declarations()}
const tolerance = ${f32(TOLERANCE)};
// Cumulative weights at the temperature (x) and at 1 (y), up to and with each candidate: [count]
var<workgroup> sums: array<vec2f, ${count}>;
var<workgroup> least: atomic<u32>;
var<workgroup> most: atomic<u32>;

/** How many candidates there are of which \`surely\` or \`perhaps\` holds: of all lanes, to all lanes. */
fn count_of(lane: u32, surely: bool, perhaps: bool) -> vec2u {
  if (lane == 0) {
    atomicStore(&least, 0);
    atomicStore(&most, 0);
  }
  workgroupBarrier();
  if (surely) { atomicAdd(&least, 1); }
  if (perhaps) { atomicAdd(&most, 1); }
  workgroupBarrier();
  let counts = vec2u(atomicLoad(&least), atomicLoad(&most));
  workgroupBarrier();
  return counts;
}

@compute @workgroup_size(${count})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let row = wg.x * ${u32(count)};
  let is_greedy = ${settings}[0] == 0;
  let temperature = select(${settings}[0], 1, is_greedy);
  let top_k = u32(${settings}[1]);
  let top_p = ${settings}[2];
  let min_p = ${settings}[3];

  // Places that nothing fills, and logits of −∞, come last.
  let value = ${values}[row + lane];
  let is_listed = ${idsName}[row + lane] >= 0 && bitcast<u32>(value) != run.negative_infinity;
  // NaN and +∞, by their bits: the host throws then.
  let is_bad = is_listed && (bitcast<u32>(value) & 0x7f800000u) == 0x7f800000u;
  let counts = count_of(lane, is_listed, is_bad);
  let listed = counts.x;
  let is_sound = counts.y == 0 && (bitcast<u32>(${logSumExp}[wg.x]) & 0x7f800000u) != 0x7f800000u;
  let is_complete = ${isWhole} || listed < ${u32(count)};
  let best = ${values}[row];
  let below = select(0, value - best, is_listed); // ≤ 0
  let weight = select(0, exp(below / temperature), is_listed);
  sums[lane] = vec2f(weight, select(0, exp(below), is_listed));
  workgroupBarrier();
  for (var step = 1u; step < ${u32(count)}; step *= 2) {
    var sum = sums[lane];
    if (lane >= step) { sum += sums[lane - step]; }
    workgroupBarrier();
    sums[lane] = sum;
    workgroupBarrier();
  }
  let before = select(0, sums[max(lane, 1) - 1].x, lane > 0);
  let through = sums[lane].x;
  let last = max(listed, 1) - 1;
  var mass = sums[last].x;

  // The weight of the tokens that are no candidates: somewhere in [low, high]. See unlistedWeight in core's sampling/filters.ts.
  var low = 0f;
  var high = 0f;
  if (!is_complete) {
    let total = exp(${logSumExp}[wg.x] - best);
    let margin = total * (tolerance + 2.4e-7 * (8 + abs(${logSumExp}[wg.x])));
    low = max(0, total - margin - sums[last].y);
    high = max(0, total + margin - sums[last].y);
    let lowest = ${values}[row + last] - best;
    if (temperature < 1) {
      low = 0;
      high *= exp(lowest / temperature - lowest) * (1 + tolerance);
    } else if (temperature > 1) {
      low = 0;
      high = ${f32(UNKNOWN)};
    }
  }
  var kept = listed;
  var is_sure = listed > 0;

  // topK: ties with the k-th stay.
  if (top_k > 0) { is_sure = is_sure && (is_complete || top_k <= listed); }
  let worst = ${values}[row + min(max(top_k, 1) - 1, last)];
  let not_worse = count_of(lane, is_listed && value >= worst, false).x;
  if (top_k > 0) {
    kept = not_worse;
    is_sure = is_sure && (is_complete || kept < listed);
    low = 0;
    high = 0;
  }
  mass = sums[max(kept, 1) - 1].x;

  // topP: a candidate stays while what comes before it is less than topP of all.
  let all_low = mass + low;
  let all_high = mass + high;
  let in_p = count_of(lane, lane < kept && (lane == 0 || before < top_p * all_low - tolerance * all_low), lane < kept && before <= top_p * all_high + tolerance * all_high);
  if (top_p < 1) {
    is_sure = is_sure && in_p.x == in_p.y && (in_p.x < kept || high == 0);
    kept = in_p.x;
    low = 0;
    high = 0;
  }

  // minP: at least that share of the best one's weight, which is 1.
  let in_m = count_of(lane, lane < kept && (lane == 0 || weight > min_p * (1 + tolerance)), lane < kept && weight >= min_p * (1 - tolerance));
  if (min_p > 0) {
    is_sure = is_sure && in_m.x == in_m.y && (in_m.x < kept || high == 0);
    kept = in_m.x;
    low = 0;
    high = 0;
  }

  // The first candidate whose cumulative weight exceeds u of all.
  mass = sums[max(kept, 1) - 1].x;
  let target_low = ${u}[wg.x] * (mass + low) - tolerance * (mass + low);
  let target_high = ${u}[wg.x] * (mass + high) + tolerance * (mass + high);
  let passed = count_of(lane, lane < kept && through < target_low, lane < kept && through <= target_high);
  let entry = select(passed.x, 0, is_greedy);
  is_sure = listed != 0 && is_sound && (is_greedy || (is_sure && passed.x == passed.y && entry < kept));
  if (lane == 0) {
    let chosen = select(-1, ${idsName}[row + min(entry, last)], is_sure);
    ${out}[wg.x] = chosen;
    if (wg.x + 1 == ${rowsWgsl(ids)}) { ${next}[0] = chosen; }
  }
}`,
    },
  ]
}
