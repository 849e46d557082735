/** Loaders of policies and their versions. */
import type { KeysetPage } from '@rhizome/mongo';
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import type { VersionsRequest } from '../policies.repository.js';
import type { PolicyVersionDocument, PolicyView } from '../policy.document.js';

/** Policies by id; null for those that the caller may not see. */
export const policyLoader = defineLoader<string, PolicyView, Context>({
  name: 'PolicyById',
  load: (ids, { core, principal }) => core.policies.visibleByIds(principal, ids),
});

/** Versions by id of the version. */
export const versionLoader = defineLoader<string, PolicyVersionDocument, Context>({
  name: 'PolicyVersionById',
  load: (ids, { core }) => core.policies.versionsByIds(ids),
});

/** Pages of the versions of policies; those of all policies of a list are read together. */
export const versionsLoader = defineLoader<VersionsRequest, KeysetPage<PolicyVersionDocument>, Context>({
  name: 'VersionsOfPolicy',
  cacheKey: ({ policyId, first, after }) => JSON.stringify([policyId, first, after]),
  load: async (requests, { core }) => {
    try {
      return await core.policies.versions(requests);
    } catch {
      // An invalid request is an error of its own entry only.
      return Promise.all(requests.map((request) => pageOrError(core.policies, request)));
    }
  },
});

async function pageOrError(
  policies: Context['core']['policies'],
  request: VersionsRequest,
): Promise<KeysetPage<PolicyVersionDocument> | Error | null> {
  try {
    return (await policies.versions([request]))[0] ?? null;
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error));
  }
}
