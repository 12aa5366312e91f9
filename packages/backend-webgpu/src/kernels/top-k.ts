import { GemmaError } from '@facetjs/core/backend'
import { bufferOf, createBindings, type Kernel, maxRows, rowsOf, u32, widthOf } from './kernel.ts'
import { reduceWgsl } from './reduce.wgsl.ts'

const THREADS = 256

/**
 * One workgroup a row: a radix select over keys that sort like the logits finds the least one that belongs to the best, then those
 * are collected and put in order. The logits stay as they are; the adjusted ones live as keys in scratch.
 */
export const topK: Kernel<'topK'> = ({ logits, mask, adjustIds, adjust, ids, values, logSumExp }, { place, limits, features, scratch }) => {
  const placed = place(ids)
  const count = widthOf(placed)
  const vocabSize = widthOf(place(logits))
  if (count > THREADS) throw new GemmaError('internal', `${count} candidates were asked for, and the kernel finds ${THREADS} at most. Ask for fewer.`)
  const bindings = createBindings()
  const keys = bindings.write('keys', scratch('topK', maxRows(placed, limits) * vocabSize * 4), 'u32')
  const idsName = bindings.write('ids', bufferOf(placed), 'i32')
  const valuesName = bindings.write('values', bufferOf(place(values)))
  const sumName = bindings.write('log_sum_exp', bufferOf(place(logSumExp)))
  const logitsName = bindings.read('logits', bufferOf(place(logits)))
  const maskName = bindings.read('mask', bufferOf(place(mask)), 'u32')
  const adjustIdsName = bindings.read('adjust_ids', bufferOf(place(adjustIds)), 'i32')
  const adjustName = bindings.read('adjust', bufferOf(place(adjust)))
  const perThread = Math.ceil(vocabSize / THREADS)
  return [
    {
      label: 'topK',
      buffers: bindings.buffers,
      grid: (args) => [rowsOf(placed, args), 1, 1],
      wgsl: `${bindings.declarations(features)}
${reduceWgsl(features, { name: 'greatest_of', op: 'max', type: 'u32', threads: THREADS })}
${reduceWgsl(features, { name: 'sum_of', op: 'add', type: 'f32', threads: THREADS })}
var<workgroup> histogram: array<atomic<u32>, 256>;
var<workgroup> best_keys: array<u32, ${count}>;
var<workgroup> best_ids: array<u32, ${count}>;
var<workgroup> ties: array<u32, ${THREADS}>;
var<workgroup> found: atomic<u32>;
// The digits of the least key that is taken, so far; and how many of those that begin with them are still wanted.
var<workgroup> prefix: u32;
var<workgroup> wanted: u32;

// Sorts as the value does; 0 is for ids that are not allowed.
fn key_of(value: f32) -> u32 {
  let bits = bitcast<u32>(select(value, 0, value == 0)); // -0 is 0
  return select(bits | 0x80000000u, ~bits, bits >> 31 == 1);
}
fn value_of(key: u32) -> f32 { return bitcast<f32>(select(~key, key ^ 0x80000000u, key >> 31 == 1)); }
fn allowed(id: u32) -> bool { return ((${maskName}[id >> 5] >> (id & 31)) & 1) == 1; }

@compute @workgroup_size(${THREADS})
fn main(@builtin(workgroup_id) wg: vec3u, @builtin(local_invocation_index) lane: u32) {
  let start = wg.x * ${u32(vocabSize)};
  for (var id = lane; id < ${u32(vocabSize)}; id += ${THREADS}) { ${keys}[start + id] = select(0u, key_of(${logitsName}[start + id]), allowed(id)); }
  storageBarrier();
  for (var i = lane; i < run.adjusted; i += ${THREADS}) {
    let id = u32(${adjustIdsName}[i]);
    if (id >= ${u32(vocabSize)} || !allowed(id)) { continue; }
    var value = ${logitsName}[start + id] + ${adjustName}[i * 3];
    let scale = ${adjustName}[i * 3 + 1];
    value = select(value * scale, value / scale, value > 0);
    ${keys}[start + id] = key_of(value + ${adjustName}[i * 3 + 2]);
  }
  storageBarrier();

  // log Σ exp
  var greatest = 0u;
  for (var id = lane; id < ${u32(vocabSize)}; id += ${THREADS}) { greatest = max(greatest, ${keys}[start + id]); }
  greatest = greatest_of(lane, greatest);
  let maximum = value_of(greatest);
  var sum = 0f;
  for (var id = lane; id < ${u32(vocabSize)}; id += ${THREADS}) {
    let key = ${keys}[start + id];
    if (key != 0) { sum += exp(value_of(key) - maximum); }
  }
  sum = sum_of(lane, sum);
  if (lane == 0) {
    ${sumName}[wg.x] = select(maximum + log(sum), bitcast<f32>(run.negative_infinity), greatest == 0);
    prefix = 0;
    wanted = ${u32(count)};
    atomicStore(&found, 0);
  }

  // The least key that is taken, digit by digit.
  for (var shift = 32u; shift > 0; shift -= 8) {
    atomicStore(&histogram[lane], 0);
    workgroupBarrier();
    let digits = prefix;
    for (var id = lane; id < ${u32(vocabSize)}; id += ${THREADS}) {
      let key = ${keys}[start + id];
      if (key != 0 && (shift == 32 || (key >> (shift & 31)) == digits)) { atomicAdd(&histogram[(key >> (shift - 8)) & 255], 1); }
    }
    workgroupBarrier();
    if (lane == 0) {
      var digit = 255u;
      loop {
        let here = atomicLoad(&histogram[digit]);
        if (here >= wanted || digit == 0) { break; }
        wanted -= here;
        digit--;
      }
      prefix = (digits << 8) | digit;
    }
    workgroupBarrier();
  }
  let least = prefix;

  // All above it, in any order; of its equals the first by id.
  let first = lane * ${u32(perThread)};
  let end = min(first + ${u32(perThread)}, ${u32(vocabSize)});
  var equals = 0u;
  for (var id = first; id < end; id++) { if (${keys}[start + id] == least && least != 0) { equals++; } }
  ties[lane] = equals;
  workgroupBarrier();
  if (lane == 0) {
    var before = 0u;
    for (var i = 0u; i < ${THREADS}; i++) {
      let here = ties[i];
      ties[i] = before;
      before += here;
    }
  }
  workgroupBarrier();
  var rank = ties[lane];
  for (var id = first; id < end; id++) {
    let key = ${keys}[start + id];
    if (key == 0 || key < least) { continue; }
    if (key == least) {
      rank++;
      if (rank > wanted) { continue; }
    }
    let at = atomicAdd(&found, 1);
    best_keys[at] = key;
    best_ids[at] = id;
  }
  workgroupBarrier();

  // Each goes to the place that the number of those before it says: greater keys first, then lower ids.
  let taken = atomicLoad(&found);
  if (lane < taken) {
    let key = best_keys[lane];
    let id = best_ids[lane];
    var place = 0u;
    for (var i = 0u; i < taken; i++) {
      if (best_keys[i] > key || (best_keys[i] == key && best_ids[i] < id)) { place++; }
    }
    ${idsName}[wg.x * ${u32(count)} + place] = i32(id);
    ${valuesName}[wg.x * ${u32(count)} + place] = value_of(key);
  } else if (lane < ${u32(count)}) {
    ${idsName}[wg.x * ${u32(count)} + lane] = -1;
    ${valuesName}[wg.x * ${u32(count)} + lane] = bitcast<f32>(run.negative_infinity);
  }
}`,
    },
  ]
}
