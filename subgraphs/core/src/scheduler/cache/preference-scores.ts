/** Cached scores of the preferences of classes, for workers that no preference distinguishes. */
import type { PreferenceScore } from '../../jobs/model/job.types.js';
import { measuredView } from '../requirements/measured.js';
import type { ClassPreferences, RequirementClass } from '../requirements/requirement-class.js';
import type { WorkerProfile } from '../requirements/constraint.types.js';

interface KnownScore {
  readonly serial: number;
  /** Revision of what was measured for the class; undefined if nothing was, or no term reads it. */
  readonly revision: number | undefined;
  readonly value: PreferenceScore;
}

/** Scores by class. Each is evaluated once, and again when what was measured for the class has changed. */
export class PreferenceScores {
  readonly #profile: WorkerProfile;
  readonly #maxKnown: number;
  /** By the index of the class. */
  readonly #known = new Map<number, KnownScore>();

  /** @param profile any of the workers @param maxKnown most classes whose scores are kept */
  constructor(profile: WorkerProfile, maxKnown = 10_000) {
    this.#profile = profile;
    this.#maxKnown = maxKnown;
  }

  /** Preferences of a class that the workers meet; undefined if the class has none. */
  of({ index, serial, preferences }: RequirementClass): PreferenceScore | undefined {
    if (!preferences) return undefined;
    const revision = preferences.record?.revision;
    const known = this.#known.get(index);
    if (known?.serial === serial && known.revision === revision && index >= 0) return known.value;
    const value = this.#scoreOf(preferences);
    if (index < 0) return value;
    if (this.#known.size >= this.#maxKnown && !this.#known.has(index)) this.#known.clear();
    this.#known.set(index, { serial, revision, value });
    return value;
  }

  #scoreOf({ terms, totalWeight, readsMeasured, record }: ClassPreferences): PreferenceScore {
    const { worker, queue } = this.#profile;
    const own = this.#profile.view();
    const place = { queue: queue.name, site: queue.site, host: worker.host };
    const view = readsMeasured ? { ...own, measured: measuredView(record, place) } : own;
    const met = terms.flatMap(({ selector }, at) => (selector.accepts(view) ? [at] : []));
    const weight = met.reduce((sum, at) => sum + (terms[at]?.weight ?? 0), 0);
    return { score: weight / totalWeight, met };
  }
}
