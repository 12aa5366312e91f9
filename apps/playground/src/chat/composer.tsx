import type { VisionConfig } from '@facetjs/core'
import { ActionIcon, CloseButton, FileButton, Textarea, Tooltip } from '@mantine/core'
import { IconArrowUp, IconPhoto, IconPlayerStopFilled } from '@tabler/icons-react'
import { type ReactElement, type RefObject, useState } from 'react'
import classes from './composer.module.css'
import { PictureOptions, type PictureOptionsProps } from './picture-options.tsx'
import { Picture } from './picture.tsx'
import { isSendKey } from './send-key.ts'

export interface ComposerProps extends Pick<PictureOptionsProps, 'panAndScan' | 'onPanAndScan'> {
  readonly text: string
  readonly onText: (text: string) => void
  readonly pictures: readonly File[]
  readonly onPictures: (files: readonly File[]) => void
  readonly onRemovePicture: (picture: File) => void
  /** Of a model that sees. */
  readonly vision: VisionConfig | undefined
  readonly isGenerating: boolean
  readonly onSend: () => void
  readonly onStop: () => void
  /** Of the button. Default: Send. */
  readonly sendLabel?: string
  readonly inputRef: RefObject<HTMLTextAreaElement | null>
}

export function Composer({ text, onText, pictures, onPictures, onRemovePicture, vision, panAndScan, onPanAndScan, isGenerating, onSend, onStop, sendLabel = 'Send', inputRef }: ComposerProps): ReactElement {
  const [isFocused, setIsFocused] = useState(false)
  const isEmpty = text.trim() === '' && pictures.length === 0
  const send = (): void => {
    if (!isEmpty && !isGenerating) onSend()
  }
  return (
    <form className={classes.frame} data-focused={isFocused || undefined} aria-label="Your message" onSubmit={(event) => {
      event.preventDefault()
      send()
    }}>
      {pictures.length > 0 && (
        <ul className={classes.pictures} aria-label="Pictures of your message">
          {pictures.map((picture, i) => (
            <li key={i}>
              <Picture image={picture} label={picture.name} size="small" panAndScan={panAndScan} vision={vision} />
              <CloseButton className={classes.remove} size="xs" radius="xl" variant="default" aria-label={`Remove ${picture.name}`} onClick={() => onRemovePicture(picture)} />
            </li>
          ))}
        </ul>
      )}
      {pictures.length > 0 && vision !== undefined && <PictureOptions pictures={pictures} vision={vision} panAndScan={panAndScan} onPanAndScan={onPanAndScan} />}
      <Textarea
        ref={inputRef} aria-label="Message" placeholder="Ask something, or drop a picture" variant="unstyled" autosize minRows={1} maxRows={8} value={text}
        className={classes.input} size="md"
        onChange={(event) => onText(event.currentTarget.value)}
        onFocus={() => setIsFocused(true)} onBlur={() => setIsFocused(false)}
        onKeyDown={(event) => {
          if (!isSendKey(event)) return
          event.preventDefault()
          send()
        }}
        onPaste={(event) => {
          const files = [...event.clipboardData.files]
          if (files.length === 0) return
          event.preventDefault()
          onPictures(files)
        }}
      />
      <div className={classes.buttons}>
        <FileButton accept="image/png,image/jpeg,image/webp,image/gif,image/bmp" multiple onChange={onPictures}>
          {({ onClick }) => (
            <Tooltip label="Add pictures"><ActionIcon variant="subtle" color="gray" size="lg" aria-label="Add pictures" onClick={onClick}><IconPhoto size={20} /></ActionIcon></Tooltip>
          )}
        </FileButton>
        {isGenerating
          ? <Tooltip label="Stop"><ActionIcon size="lg" radius="xl" aria-label="Stop" onClick={onStop}><IconPlayerStopFilled size={16} /></ActionIcon></Tooltip>
          : <Tooltip label={sendLabel}><ActionIcon type="submit" size="lg" radius="xl" aria-label={sendLabel} disabled={isEmpty}><IconArrowUp size={20} /></ActionIcon></Tooltip>}
      </div>
    </form>
  )
}
