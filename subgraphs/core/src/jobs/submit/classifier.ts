import { type ContinuityPolicy, statedContinuity } from '../../shared/continuity.js';
import type { StoredPreference, StoredRequirements } from '../model/job.types.js';
import { normaliseRequirements } from './normalise.js';
import type { JobSpec } from './submit.types.js';
import { classIdOf } from '../model/requirement-class-id.js';

/** Facts of an experiment on which classes depend. */
export interface ClassingExperiment {
  readonly name: string;
  /** Defaults and bounds for the continuity of its jobs. */
  readonly continuity?: ContinuityPolicy;
}

/** Normalises requirements of jobs of an experiment; equal inputs of a batch are processed once. */
export function classifier({ name, continuity: policy }: ClassingExperiment) {
  const known = new Map<string, { readonly requirements: StoredRequirements; readonly classId: string }>();
  const classes = new Map<string, StoredRequirements>();
  const classOf = ({
    requirements: spec,
    payload,
    continuity: stated,
  }: Pick<JobSpec, 'requirements' | 'payload' | 'continuity'>) => {
    const hasImage = payload.image != null;
    const hasSecrets = (payload.secrets?.length ?? 0) > 0 || payload.isTokenRequired === true;
    const text = `${hasImage} ${hasSecrets} ${JSON.stringify(spec ?? {})} ${JSON.stringify(stated ?? {})}`;
    let found = known.get(text);
    if (!found) {
      const continuity = statedContinuity(stated, policy);
      const normal = normaliseRequirements(spec ?? {}, hasImage, hasSecrets, continuity);
      const requirements = normal.preferences?.some(readsMeasured) ? { ...normal, measuredIn: name } : normal;
      found = { requirements, classId: classIdOf(requirements) };
      known.set(text, found);
      classes.set(found.classId, requirements);
    }
    return found;
  };
  return Object.assign(classOf, { classes: classes as ReadonlyMap<string, StoredRequirements> });
}

/**
 * True also for a condition that has the word in a text: its jobs are classed by experiment without need.
 */
function readsMeasured({ expression }: StoredPreference): boolean {
  return /\bmeasured\b/.test(expression);
}
