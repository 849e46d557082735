/** Rules of budgets and stops of agents. */
import type { Principal } from '@rhizome/authz';
import type { Clock } from '@rhizome/clock';
import { digestOf } from '@rhizome/digest';
import type { KeysetPage } from '@rhizome/mongo';
import type {
  AgentScope,
  Authority,
  BudgetDocument,
  BudgetUnit,
  BudgetWindow,
  StopDocument,
} from './budget.document.js';
import type { BudgetsRepository } from './budgets.repository.js';
import { type Concerned, concernedOf, visibleScopes } from './scope.js';
import { type Window, windowAt } from './windows.js';

/** A budget with what was used in the present window. */
export interface BudgetState {
  readonly budget: BudgetDocument;
  readonly spent: number;
  readonly window: Window;
}

/** A budget to set. */
export interface BudgetSetting extends AgentScope {
  readonly unit: BudgetUnit;
  readonly window: BudgetWindow;
  /** Null removes the budget. */
  readonly limit: number | null;
  readonly softLimit: number | null;
}

/** The reason why an agent may not go on. */
export type Refusal = { readonly stop: StopDocument } | { readonly exceeded: BudgetState };

/** Limits of a caller. */
export interface CallerLimits {
  readonly stops: readonly StopDocument[];
  readonly budgets: readonly BudgetState[];
}

/** Ports of {@link BudgetsService}. */
export interface BudgetsOptions {
  readonly budgets: BudgetsRepository;
  readonly clock: Clock;
}

/** Time for which the amount of a window is kept after its end, in milliseconds. */
const keptMs = 32 * 86_400_000;
/** Budgets, and stops, that a person may set for its own agents. */
export const mostOwn = 100;

/** Budgets and stops of one store. */
export class BudgetsService {
  readonly #options: BudgetsOptions;

  constructor(options: BudgetsOptions) {
    this.#options = options;
  }

  /**
   * True if a person may set a further budget for its own agents. Calls at the same time may exceed the
   * number: it bounds what each call of the agents reads.
   */
  async mayAddBudget(setting: Omit<BudgetSetting, 'limit' | 'softLimit'>, by: Authority): Promise<boolean> {
    const { person } = setting;
    if (by !== 'PERSON' || person === null) return true;
    return (await this.#options.budgets.ownBudgets(person, budgetId(setting, by))) < mostOwn;
  }

  /** True if a person may set a further stop for its own agents, as {@link mayAddBudget}. */
  async mayAddStop(scope: AgentScope, by: Authority): Promise<boolean> {
    const { person } = scope;
    if (by !== 'PERSON' || person === null) return true;
    return (await this.#options.budgets.ownStops(person, stopId(scope, by))) < mostOwn;
  }

  /** Sets or removes a budget. Null if there was none to remove. */
  async set(
    { limit, ...setting }: BudgetSetting,
    authority: Authority,
    by: string,
  ): Promise<BudgetState | null> {
    const { budgets, clock } = this.#options;
    const _id = budgetId(setting, authority);
    const now = clock.now();
    const times = { createdAt: now, updatedAt: now };
    const set =
      limit === null
        ? await budgets.remove(_id)
        : await budgets.set({
            ...{ _id, schemaVersion: 1, revision: 1, ...times, ...setting },
            ...{ limit, authority, setBy: by },
          });
    return set && ((await this.states([set]))[0] ?? null);
  }

  /** Budgets with what was used in their present windows. */
  async states(found: readonly BudgetDocument[]): Promise<readonly BudgetState[]> {
    const now = this.#options.clock.now();
    const states = found.map((budget) => ({ budget, window: windowAt(budget.window, now) }));
    const spent = await this.#options.budgets.spent(states.map(usageId));
    return states.map((state) => ({ ...state, spent: spent.get(usageId(state)) ?? 0 }));
  }

  /** @throws DomainError CURSOR_INVALID, BAD_USER_INPUT */
  page(
    conditions: Partial<AgentScope>,
    principal: Principal,
    page: { readonly first: number; readonly after?: string | null | undefined },
  ): Promise<KeysetPage<BudgetDocument>> {
    return this.#options.budgets.page(visibleScopes(principal), conditions, page);
  }

  /** The stops and budgets that concern a caller; for a person, those of its agents. */
  async limitsOf(principal: Principal): Promise<CallerLimits> {
    const concerned = concernedOf(principal);
    if (!concerned) return { stops: [], budgets: [] };
    const { budgets } = this.#options;
    const [stops, found] = await Promise.all([budgets.stopsOf(concerned), budgets.budgetsOf(concerned)]);
    return { stops, budgets: await this.states(found) };
  }

  /** Stops agents. */
  stop(scope: AgentScope, authority: Authority, reason: string, by: string): Promise<StopDocument | null> {
    const { budgets, clock } = this.#options;
    const createdAt = clock.now();
    const { agent, person, experiment } = scope;
    return budgets.stop({
      ...{ _id: stopId(scope, authority), schemaVersion: 1, createdAt, agent, person, experiment },
      ...{ authority, reason, setBy: by },
    });
  }

  /** Ends a stop. Null if there was none. */
  resume(scope: AgentScope, authority: Authority): Promise<StopDocument | null> {
    return this.#options.budgets.resume(stopId(scope, authority));
  }

  /** The stops that a principal may list. */
  stops(principal: Principal): Promise<readonly StopDocument[]> {
    return this.#options.budgets.visibleStops(visibleScopes(principal));
  }

  /** All stops. */
  allStops(): Promise<readonly StopDocument[]> {
    return this.#options.budgets.allStops();
  }

  /** The stop of an agent; undefined if it may go on. */
  async stopOf(agent: Principal): Promise<StopDocument | undefined> {
    const concerned = agentOf(agent);
    return concerned && this.stopFor(concerned);
  }

  /** The stop of an agent whose token is not at hand, by the facts of what it does. */
  async stopFor(concerned: Concerned): Promise<StopDocument | undefined> {
    return (await this.#options.budgets.stopsOf(concerned))[0];
  }

  /**
   * Spends an amount of all budgets of an agent, or of none. Nothing is spent by a stopped agent.
   * @returns the reason for a refusal; undefined if the amount was spent
   */
  async spend(agent: Principal, unit: BudgetUnit, amount: number): Promise<Refusal | undefined> {
    const concerned = agentOf(agent);
    if (!concerned) return undefined;
    const { budgets, clock } = this.#options;
    const [[stop], all] = await Promise.all([budgets.stopsOf(concerned), budgets.budgetsOf(concerned, unit)]);
    if (stop) return { stop };
    const now = clock.now();
    const spent: string[] = [];
    for (const budget of all) {
      const window = windowAt(budget.window, now);
      const id = usageId({ budget, window });
      const removeAt = new Date(window.end.getTime() + keptMs);
      if (await budgets.spend(id, amount, budget.limit, removeAt)) {
        spent.push(id);
        continue;
      }
      // A process that ends here leaves the amounts spent: less is left, never more.
      for (const taken of spent) await budgets.giveBack(taken, amount);
      const used = (await budgets.spent([id])).get(id) ?? 0;
      return { exceeded: { budget, window, spent: used } };
    }
    return undefined;
  }
}

function agentOf(principal: Principal): Concerned | undefined {
  return principal.kind === 'AGENT' ? concernedOf(principal) : undefined;
}

function usageId({ budget, window }: { readonly budget: BudgetDocument; readonly window: Window }): string {
  return `${budget._id} ${window.start.toISOString()}`;
}

function budgetId(
  { agent, person, experiment, unit, window }: Omit<BudgetSetting, 'limit' | 'softLimit'>,
  authority: Authority,
): string {
  return `budget_${digestOf([authority, agent, person, experiment, unit, window])}`;
}

function stopId({ agent, person, experiment }: AgentScope, authority: Authority): string {
  return `stop_${digestOf([authority, agent, person, experiment])}`;
}
