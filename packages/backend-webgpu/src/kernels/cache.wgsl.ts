/** WGSL over keys and values, which are f32 or pairs of f16 in u32 words. */
import { bufferOf, type Bindings, type Placed } from './kernel.ts'

export const isHalf = ({ decl }: Placed): boolean => decl.dtype === 'f16'

/** Binds a cache for reading: `fn <name>_four(at: u32) -> vec4f` for the values at 4 · at …, `fn <name>_one(at: u32) -> f32`. */
export function readCacheWgsl(bindings: Bindings, name: string, placed: Placed): string {
  const buffer = bufferOf(placed)
  if (isHalf(placed)) {
    const variable = bindings.read(name, buffer, 'u32')
    return `fn ${name}_four(at: u32) -> vec4f { return vec4f(unpack2x16float(${variable}[at * 2]), unpack2x16float(${variable}[at * 2 + 1])); }
fn ${name}_one(at: u32) -> f32 { return unpack2x16float(${variable}[at >> 1])[at & 1]; }`
  }
  const variable = bindings.read(name, buffer)
  return `fn ${name}_four(at: u32) -> vec4f { return vec4f(${variable}[at * 4], ${variable}[at * 4 + 1], ${variable}[at * 4 + 2], ${variable}[at * 4 + 3]); }
fn ${name}_one(at: u32) -> f32 { return ${variable}[at]; }`
}

/** Binds a cache for writing: `fn store_<name>(pair: u32, values: vec2f)` for the values at 2 · pair. */
export function writeCacheWgsl(bindings: Bindings, name: string, placed: Placed): string {
  const buffer = bufferOf(placed)
  if (isHalf(placed)) return `fn store_${name}(pair: u32, values: vec2f) { ${bindings.write(name, buffer, 'u32')}[pair] = pack2x16float(values); }`
  const variable = bindings.write(name, buffer)
  return `fn store_${name}(pair: u32, values: vec2f) { ${variable}[pair * 2] = values.x; ${variable}[pair * 2 + 1] = values.y; }`
}

/** Positions of keys that row `row` sees: `fn seen(row: u32) -> vec2u`. */
export function seenWgsl(bindings: Bindings, begin: Placed, end: Placed): string {
  const beginName = bindings.read('begin', bufferOf(begin), 'i32')
  const endName = bindings.read('end', bufferOf(end), 'i32')
  return `fn seen(row: u32) -> vec2u { return vec2u(u32(${beginName}[row]), u32(${endName}[row])); }`
}

