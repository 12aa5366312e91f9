import type { TokenGroup } from './attention-shares.ts'

export const groupNames: Readonly<Record<TokenGroup, string>> = { first: 'First token', picture: 'Pictures', prompt: 'Prompt', answer: 'Answer' }
