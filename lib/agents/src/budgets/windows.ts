/** Windows of budgets: calendar hours, days and months in UTC. */
import type { BudgetWindow } from './budget.document.js';

/** A window. */
export interface Window {
  readonly start: Date;
  /** Start of the next window. */
  readonly end: Date;
}

/** The window that a time is in. */
export function windowAt(kind: BudgetWindow, now: Date): Window {
  const [year, month, day] = [now.getUTCFullYear(), now.getUTCMonth(), now.getUTCDate()];
  const hour = now.getUTCHours();
  const at = (...parts: readonly [number, number, number, number]): Date => new Date(Date.UTC(...parts));
  switch (kind) {
    case 'HOUR':
      return { start: at(year, month, day, hour), end: at(year, month, day, hour + 1) };
    case 'DAY':
      return { start: at(year, month, day, 0), end: at(year, month, day + 1, 0) };
    case 'MONTH':
      return { start: at(year, month, 1, 0), end: at(year, month + 1, 1, 0) };
  }
}
