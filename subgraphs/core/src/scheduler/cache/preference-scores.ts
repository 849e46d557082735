/** Cached scores of the preferences of classes, for workers that no preference of a scope distinguishes. */
import type { PreferenceScore } from '../../jobs/model/job.types.js';
import { measuredView } from '../requirements/measured.js';
import type { ClassPreferences, RequirementClass } from '../requirements/requirement-class.js';
import type { SelectorScope, SelectorView } from '../requirements/selector.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';
import type { EvaluationBudget } from './preference-turns.js';

interface KnownScore {
  readonly serial: number;
  /** Revision of what was measured for the class; undefined if nothing was, or no term reads it. */
  readonly revision: number | undefined;
  readonly value: PreferenceScore;
}

/** From the smallest set of attributes to the largest: a scope includes those before it. */
const scopes: readonly SelectorScope[] = ['SHAPE', 'LABELS', 'WORKER'];

/** Scores by class. Each is evaluated once, and again when what was measured for the class has changed. */
export class PreferenceScores {
  readonly #profile: WorkerProfile;
  readonly #scope: number;
  readonly #maxKnown: number;
  /** By the index of the class. */
  readonly #known = new Map<number, KnownScore>();

  /**
   * @param profile any of the workers
   * @param scope set of workers for which the scores hold; preferences that distinguish them count as not met
   * @param maxKnown most classes whose scores are kept
   */
  constructor(profile: WorkerProfile, scope: SelectorScope, maxKnown = 10_000) {
    this.#profile = profile;
    this.#scope = scopes.indexOf(scope);
    this.#maxKnown = maxKnown;
  }

  /**
   * Preferences of a class that all the workers meet; undefined if the class has none.
   * @param budget if it is used up, the last known score is returned, or undefined if there is none
   */
  of(
    { index, serial, preferences }: RequirementClass,
    budget?: EvaluationBudget,
  ): PreferenceScore | undefined {
    if (!preferences) return undefined;
    const revision = preferences.record?.revision;
    const before = this.#known.get(index);
    const known = index >= 0 && before?.serial === serial ? before : undefined;
    if (known?.revision === revision && known) return known.value;
    if (budget && !budget.takes(preferences.cost)) return known?.value;
    const value = this.#scoreOf(preferences);
    if (index < 0) return value;
    const [oldest] = this.#known.keys();
    if (oldest !== undefined && this.#known.size >= this.#maxKnown && !before) this.#known.delete(oldest);
    this.#known.set(index, { serial, revision, value });
    return value;
  }

  #scoreOf(preferences: ClassPreferences): PreferenceScore {
    const view = preferenceView(this.#profile, preferences);
    const met = preferences.terms.flatMap(({ selector }, at) =>
      scopes.indexOf(selector.scope) <= this.#scope && selector.accepts(view) ? [at] : [],
    );
    return preferences.scoreOf(met);
  }
}

/** Attributes that preferences of a class read of a worker. */
export function preferenceView(
  profile: WorkerProfile,
  { readsMeasured, record }: ClassPreferences,
): SelectorView {
  const { worker, queue } = profile;
  const own = profile.view();
  const place = { queue: queue.name, site: queue.site, host: worker.host };
  return readsMeasured ? { ...own, measured: measuredView(record, place) } : own;
}
