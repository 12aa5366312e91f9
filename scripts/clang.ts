/** clang 19, which builds the CUDA backend's addon and its emulated driver; on Debian it is installed when it is missing. */
import { CLANG_PACKAGES, findCompiler } from '../packages/backend-cuda/native/compiler.ts'
import { aptInstall, canInstall } from './apt.ts'

/** The compiler's name. @throws Error that says how to get one */
export async function findClang(): Promise<string> {
  try {
    return await findCompiler()
  } catch (error) {
    if (!canInstall()) throw error
    await aptInstall(CLANG_PACKAGES, { size: 'about 300 MB' })
    return await findCompiler()
  }
}
