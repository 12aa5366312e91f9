import { dotKind } from './control.ts'
import type { Kernels } from './kernels.ts'

/**
 * Which 8-bit product is fastest here. The relaxed dot of 127 and 0xFF tells what the engine made of it: 65534 is x86's pmaddubsw,
 * which saturates at i16 (three instructions: better taken apart by hand); anything else is one instruction (VNNI, ARM).
 */
export function chooseDot(kernels: Kernels): number {
  const probed = kernels.probe_relaxed_dot?.(127, -1)
  if (probed === undefined) return dotKind.widen
  return probed === 2 * 32767 ? dotKind.pairs : dotKind.quads
}
