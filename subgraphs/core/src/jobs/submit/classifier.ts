import { type ContinuityPolicy, statedContinuity } from '../../shared/continuity.js';
import type { StoredRequirements } from '../model/job.types.js';
import { normaliseRequirements } from './normalise.js';
import type { JobSpec } from './submit.types.js';
import { classIdOf } from '../model/requirement-class-id.js';

/**
 * Normalises requirements; equal inputs of a batch are processed once.
 * @param policy defaults and bounds of the experiment for the continuity of its jobs
 */
export function classifier(policy?: ContinuityPolicy) {
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
      const requirements = normaliseRequirements(
        spec ?? {},
        hasImage,
        hasSecrets,
        statedContinuity(stated, policy),
      );
      found = { requirements, classId: classIdOf(requirements) };
      known.set(text, found);
      classes.set(found.classId, requirements);
    }
    return found;
  };
  return Object.assign(classOf, { classes: classes as ReadonlyMap<string, StoredRequirements> });
}
