/** Loaders of policies and their versions. */
import type { KeysetPage } from '@rhizome/mongo';
import { defineLoader } from '@rhizome/subgraph';
import type { Context } from '../../context.js';
import { pagesOrErrors } from '../../shared/pages-or-errors.js';
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
  load: (requests, { core }) => pagesOrErrors(requests, (some) => core.policies.versions(some)),
});
