import type { ReactElement } from 'react'
import classes from './probability-scale.module.css'
import { doubtTint } from './score-summary.ts'

const steps = [1, 0.9, 0.7, 0.5, 0.25, 0.05]

/** What the tints of tokens mean. */
export function ProbabilityScale(): ReactElement {
  return (
    <div className={classes.scale} role="img" aria-label="Tints: none for a probability of 100 %, strongest near 0 %">
      {steps.map((probability) => <span key={probability} style={{ '--tint': doubtTint(probability) }}>{probability * 100} %</span>)}
    </div>
  )
}
