import type { ChatMessage, ContentPart } from '../tokenizer/chat-template.ts'
import type { SavedConversation, SavedMessage } from './saved-conversation.ts'
import type { GemmaMessage } from './types.ts'

/** Messages with all their branches; each message follows one other, or begins the conversation. */
export interface Conversation {
  /** The branch that is shown. The same array until something changes. */
  readonly path: readonly GemmaMessage[]
  get(id: string): GemmaMessage | undefined
  /** The message before. */
  parentOf(id: string): GemmaMessage | undefined
  /** Those before it, first message first. */
  before(id: string): readonly GemmaMessage[]
  /** Another message after this one (or at the beginning), which is shown from now on. */
  add(parent: string | undefined, message: Omit<GemmaMessage, 'id' | 'branches'>): GemmaMessage
  /** Nothing if it is gone. */
  update(id: string, change: Partial<Omit<GemmaMessage, 'id' | 'branches'>>): void
  /** Shows this message, and after it what was last shown there. */
  select(id: string): void
  /** Begins anew; ids are not used again. */
  reset(next?: readonly ChatMessage[] | SavedConversation): void
  /** All branches. An answer that is still coming is in there as far as it is, as one that was stopped. */
  save(): SavedConversation
}

/** The place of the first message. */
const root = ''

export function createConversation(begin?: readonly ChatMessage[] | SavedConversation): Conversation {
  const all = new Map<string, GemmaMessage>()
  const parents = new Map<string, string>()
  /** Which message is shown after which. */
  const chosen = new Map<string, string>()
  let count = 0
  let path: readonly GemmaMessage[] | undefined

  const put = (message: GemmaMessage): void => {
    all.set(message.id, message)
    path = undefined
  }
  const follow = (): readonly GemmaMessage[] => {
    const shown: GemmaMessage[] = []
    for (let next = all.get(chosen.get(root) ?? root); next !== undefined; next = all.get(chosen.get(next.id) ?? root)) shown.push(next)
    return shown
  }
  const parentOf = (id: string): GemmaMessage | undefined => all.get(parents.get(id) ?? root)

  const conversation: Conversation = {
    get path() {
      return (path ??= follow())
    },
    get: (id) => all.get(id),
    parentOf,
    before(id) {
      const found: GemmaMessage[] = []
      for (let at = parentOf(id); at !== undefined; at = parentOf(at.id)) found.unshift(at)
      return found
    },
    add(parent = root, message) {
      const id = `m${++count}`
      const siblings = [...all.values()].filter((each) => parents.get(each.id) === parent)
      const branches = [...siblings.map((sibling) => sibling.id), id]
      for (const sibling of siblings) put({ ...sibling, branches })
      const added = { id, ...message, branches }
      put(added)
      parents.set(id, parent)
      chosen.set(parent, id)
      return added
    },
    update(id, change) {
      const message = all.get(id)
      if (message !== undefined) put({ ...message, ...change })
    },
    select(id) {
      for (let at = all.get(id); at !== undefined; at = parentOf(at.id)) chosen.set(parents.get(at.id) ?? root, at.id)
      path = undefined
    },
    reset(next = []) {
      all.clear()
      parents.clear()
      chosen.clear()
      path = undefined
      const { messages: saved } = 'version' in next ? next : toSavedConversation(next)
      const ids: string[] = []
      for (const { after, role, parts, status, error, result } of saved) {
        ids.push(conversation.add(after === undefined ? undefined : ids[after], { role, parts, status, ...(error !== undefined && { error: new Error(error) }), ...(result && { result }) }).id)
      }
      for (const [i, id] of ids.entries()) if (saved[i].isShown) chosen.set(parents.get(id) ?? root, id)
    },
    save() {
      const ids = [...all.keys()]
      const indices = new Map(ids.map((id, i) => [id, i]))
      const toSaved = ({ id, role, parts, status, error, result }: GemmaMessage): SavedMessage => {
        const parent = parents.get(id) ?? root
        const after = indices.get(parent)
        const isOver = status === 'done' || status === 'error'
        return { role, parts, ...(after !== undefined && { after }), isShown: chosen.get(parent) === id, status: isOver ? status : 'stopped', ...(error && { error: error.message }), ...(result && { result }) }
      }
      return { version: 1, messages: [...all.values()].map(toSaved) }
    },
  }
  conversation.reset(begin)
  return conversation
}

/** Messages without any other version. */
export function toSavedConversation(messages: readonly ChatMessage[]): SavedConversation {
  return { version: 1, messages: messages.map(({ role, content }, i) => ({ role: role === 'model' ? 'assistant' : role, parts: toParts(content), ...(i > 0 && { after: i - 1 }), isShown: true, status: 'done' })) }
}

export function toParts(content: ChatMessage['content']): readonly ContentPart[] {
  return typeof content === 'string' ? [{ type: 'text', text: content }] : content
}

/** As a session takes it. */
export function toContent(parts: readonly ContentPart[]): ChatMessage['content'] {
  if (parts.length === 0) return ''
  return parts.length === 1 && parts[0].type === 'text' ? parts[0].text : parts
}

/** What a model remembers of these messages: without questions that were not answered. */
export function answered(messages: readonly GemmaMessage[]): readonly GemmaMessage[] {
  const isOver = (message: GemmaMessage | undefined): boolean =>
    message?.status === 'done' || message?.result !== undefined || (message?.status === 'stopped' && message.parts.length > 0) // not one that was stopped before it began
  return messages.filter((message, i) => isOver(message) && (message.role !== 'user' || isOver(messages[i + 1])))
}

/** A conversation as `gemma.chat({ messages })` and the stores take it, without questions that were not answered. */
export function toChatMessages(messages: readonly GemmaMessage[]): ChatMessage[] {
  return answered(messages).map(({ role, parts }) => ({ role, content: toContent(parts) }))
}
