/**
 * Limits of what passes evaluate for preferences that distinguish workers of one shape. What one pass leaves
 * out, the next ones do.
 */
import type { RequirementClass } from '../requirements/requirement-class.js';

/** Most classes of a pass whose preferences may distinguish workers of one shape. */
const maxHostClasses = 16;
/** Most that a pass evaluates, in units of {@link EvaluationBudget}: 20 ms, or 80 ms if all fail. */
const costOfPass = 20_000;

/** Part of its evaluations that a pass has left; one unit is about one comparison. */
export class EvaluationBudget {
  #left: number;

  constructor(left: number) {
    this.#left = left;
  }

  /** Takes the cost of an evaluation. @returns false if the rest is too small */
  takes(cost: number): boolean {
    if (cost > this.#left) return false;
    this.#left -= cost;
    return true;
  }
}

/** Classes whose preferences a pass may compare for each worker, and what it may evaluate for that. */
export interface PreferenceTurn {
  readonly classes: readonly RequirementClass[];
  readonly budget: EvaluationBudget;
}

/** Gives classes turns: a pass begins with the class after the last one of the pass before. */
export class PreferenceTurns {
  #served = 0;

  /** @param classes classes with ready jobs */
  next(classes: Iterable<RequirementClass>): PreferenceTurn {
    const found: RequirementClass[] = [];
    for (const cls of classes) if (cls.preferences && cls.preferences.scope !== 'SHAPE') found.push(cls);
    const budget = new EvaluationBudget(costOfPass);
    if (found.length <= maxHostClasses) return { classes: found, budget };
    const from = this.#served % found.length;
    this.#served = from + maxHostClasses;
    return { classes: [...found.slice(from), ...found.slice(0, from)].slice(0, maxHostClasses), budget };
  }
}
