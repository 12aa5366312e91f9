import { ActionIcon, Button, Tooltip } from '@mantine/core'
import { IconAdjustmentsHorizontal, IconChevronDown, IconFlag, IconMessages } from '@tabler/icons-react'
import type { ReactElement } from 'react'
import classes from './layout.module.css'
import { ThemeSwitch } from './theme-switch.tsx'

export interface HeaderProps {
  readonly modelName: string
  readonly areConversationsOpen: boolean
  readonly isPanelOpen: boolean
  readonly isRacing: boolean
  readonly onToggleConversations: () => void
  readonly onTogglePanel: () => void
  readonly onToggleModel: () => void
  readonly onToggleRace: () => void
}

export function Header({ modelName, areConversationsOpen, isPanelOpen, isRacing, onToggleConversations, onTogglePanel, onToggleModel, onToggleRace }: HeaderProps): ReactElement {
  return (
    <header className={classes.header}>
      <Tooltip label="Conversations">
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Conversations" aria-expanded={areConversationsOpen} onClick={onToggleConversations}><IconMessages size={20} /></ActionIcon>
      </Tooltip>
      <h1 className={classes.title}><img src="./icon.svg" alt="" width={24} height={24} /><span className={classes.titleText}>Facet</span></h1>
      <Button className={classes.model} variant="subtle" color="gray" rightSection={<IconChevronDown size={14} aria-hidden />} aria-label={`Model: ${modelName}`} onClick={onToggleModel}>{modelName}</Button>
      <div className={classes.space} />
      <Tooltip label="Race: the same prompt on every backend">
        <ActionIcon variant={isRacing ? 'filled' : 'subtle'} color={isRacing ? 'indigo' : 'gray'} size="lg" aria-label="Race" aria-pressed={isRacing} onClick={onToggleRace}><IconFlag size={20} /></ActionIcon>
      </Tooltip>
      <ThemeSwitch />
      <Tooltip label="Model and settings">
        <ActionIcon variant="subtle" color="gray" size="lg" aria-label="Model and settings" aria-expanded={isPanelOpen} onClick={onTogglePanel}><IconAdjustmentsHorizontal size={20} /></ActionIcon>
      </Tooltip>
    </header>
  )
}
