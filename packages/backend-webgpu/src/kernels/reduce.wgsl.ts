/** WGSL that joins what the threads of a workgroup have. */
import type { Features } from '../device.ts'
import { THREADS } from './kernel.ts'

export interface Reduction {
  /** The function's name. */
  readonly name: string
  readonly op: 'add' | 'max'
  readonly type: 'f32' | 'u32' | 'vec4f'
  /** Of the workgroup; a multiple of 32. */
  readonly threads?: number
}

/**
 * `fn <name>(lane: u32, value: T) -> T`: the sum, or the maximum, over the threads of a workgroup, for all of them. The order of the sum is
 * the same each time. To be called by all threads together; `lane` is the local invocation index.
 */
export function reduceWgsl(features: Pick<Features, 'subgroups'>, reduction: Reduction): string {
  return features.subgroups ? subgroupWgsl(reduction) : treeWgsl(reduction)
}

const combine = (op: Reduction['op'], a: string, b: string): string => (op === 'add' ? `${a} + ${b}` : `max(${a}, ${b})`)

/**
 * WGSL does not say which threads make a subgroup, nor that they are all there. So each subgroup elects one of its own, which leaves what they
 * have at its own place and raises that place's flag; all threads then go through the flags in order. A counter would not do: who comes
 * first is chance, and sums would change with it. Flags stay as they are from call to call, as do the subgroups.
 * The first barrier is for the values of the call before, and brings together the threads that left a loop at different times.
 */
function subgroupWgsl({ name, op, type, threads = THREADS }: Reduction): string {
  return `var<workgroup> ${name}_values: array<${type}, ${threads}>;
var<workgroup> ${name}_flags: array<atomic<u32>, ${threads / 32}>;
fn ${name}(lane: u32, value: ${type}) -> ${type} {
  workgroupBarrier();
  let together = ${op === 'add' ? 'subgroupAdd' : 'subgroupMax'}(value);
  if (subgroupElect()) {
    ${name}_values[lane] = together;
    atomicOr(&${name}_flags[lane / 32], 1u << (lane % 32));
  } else {
    ${name}_values[lane] = ${op === 'add' ? `${type}()` : 'together'}; // should it have been another's turn before: its flag stays up
  }
  workgroupBarrier();
  var result = ${op === 'add' ? `${type}()` : 'together'};
  for (var i = 0u; i < ${threads / 32}; i++) {
    for (var flags = atomicLoad(&${name}_flags[i]); flags != 0; flags &= flags - 1) {
      result = ${combine(op, 'result', `${name}_values[i * 32 + firstTrailingBit(flags)]`)};
    }
  }
  return result;
}`
}

/** In two steps: barriers cost more than reads. */
function treeWgsl({ name, op, type, threads = THREADS }: Reduction): string {
  return `var<workgroup> ${name}_values: array<${type}, ${threads}>;
fn ${name}(lane: u32, value: ${type}) -> ${type} {
  workgroupBarrier();
  ${name}_values[lane] = value;
  workgroupBarrier();
  var result = value;
  if (lane < 8) {
    for (var i = lane + 8; i < ${threads}; i += 8) { result = ${combine(op, 'result', `${name}_values[i]`)}; }
    ${name}_values[lane] = result;
  }
  workgroupBarrier();
  result = ${name}_values[0];
  for (var i = 1u; i < 8; i++) { result = ${combine(op, 'result', `${name}_values[i]`)}; }
  return result;
}`
}
