/** Resolvers of access grants: unpack, call, map. */
import type { Policies, PolicyCall } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import { jobReference } from '../../jobs/graphql/job-loader.js';
import { shareOf } from '../../shares/graphql/resolvers.js';
import { taskLoader } from '../../tasks/graphql/task-loader.js';
import type { Resolvers } from '../../types.generated.js';
import type { AccessGrantDocument } from '../access-grant.document.js';

type Types = 'Job' | 'JobAccess' | 'JobAccessConnection' | 'Query' | 'Mutation';

export const accessResolvers: Pick<Resolvers, Types> = {
  Query: {
    jobAccess: (_parent, { first, after }, { core, principal }) =>
      core.access.page(principal, { first: first ?? 20, after }),
  },
  Mutation: {
    grantJobAccess: (_parent, { input }, { core, principal }) => {
      const { jobs, owner, reason, days, experiment, grantee, level } = input;
      const target = { jobId: jobs?.jobId ?? null, taskId: jobs?.taskId ?? null, share: jobs?.share ?? null };
      const holder = { grantee: grantee.subject ?? null, groupId: grantee.groupId ?? null };
      const optional = { owner: owner ?? null, reason: reason ?? null };
      return core.access.grant(
        { experiment, level, days: days ?? 30, ...target, ...holder, ...optional },
        principal,
      );
    },
    revokeJobAccess: (_parent, { input }, { core, principal }) => core.access.revoke(input.id, principal),
  },
  Job: {
    access: (job, _args, { core, principal }) => core.access.ofJob(principal, job),
  },
  JobAccessConnection: connection,
  JobAccess: {
    id: ({ _id }) => _id,
    owner: ({ owner: subject }) => (subject === null ? null : { subject }),
    grantee: ({ grantee: subject }) => (subject === null ? null : { subject }),
    grantedBy: ({ grantedBy: subject }) => ({ subject }),
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    experimentName: ({ experiment }) => experiment,
    job: jobReference(({ jobId }: AccessGrantDocument) => jobId),
    task: ({ taskId }, _args, { loaders }) => (taskId === null ? null : loaders.load(taskLoader, taskId)),
    share: ({ share }, args, context) => (share === null ? null : shareOf({ share }, args, context)),
    sharePath: ({ share }) => share,
  },
};

const experimentOf = ({ args }: PolicyCall): string =>
  (args as { input: { experiment: string } }).input.experiment;

export const accessPolicies: Policies = {
  'Query.jobAccess': {
    open: 'everybody may read the grants of and to itself; the service narrows the others',
    perPrincipal: true,
  },
  'Job.access': { open: 'the service narrows to what the caller may see', perPrincipal: true },
  'JobAccess.share': {
    action: 'share:read',
    experiment: ({ parent }) => (parent as AccessGrantDocument).experiment,
  },
  'Mutation.grantJobAccess': { action: 'job:grantAccess', experiment: experimentOf },
  'Mutation.revokeJobAccess': {
    open: 'people and services may end the grants of and to them; the service checks the permission for others',
  },
};
