/** Resolvers of policies: unpack, call, map. */
import type { Policies } from '@rhizome/authz';
import { connection } from '@rhizome/subgraph';
import type { Resolvers } from '../../types.generated.js';
import { jobReference } from '../../jobs/graphql/job-loader.js';
import { versionId } from '../policy.document.js';
import type { SimulatedChange } from '../simulation/simulation-totals.js';
import { policyLoader, versionLoader, versionsLoader } from './policy-loaders.js';
import { scopeOf } from './policy-scope-input.js';

export const policyResolvers: Pick<
  Resolvers,
  | 'Query'
  | 'Mutation'
  | 'Policy'
  | 'PolicyConnection'
  | 'PolicyVersion'
  | 'PolicyVersionConnection'
  | 'AttemptDecision'
  | 'DecisionEffect'
  | 'PolicySimulationResult'
  | 'PolicySimulation'
  | 'PolicySimulationSample'
> = {
  Query: {
    policy: (_parent, { scope }, { core, principal }) => core.policies.find(principal, scopeOf(scope)),
    policies: (_parent, { first, after }, { core, principal }) =>
      core.policies.page(principal, { first: first ?? 50, after }),
    simulatePolicy: (_parent, { input: { scope, days, ...input }, after }, { core, principal }) =>
      core.simulations.simulate(principal, { scope: scopeOf(scope), days: days ?? 7, ...input, after }),
  },
  Mutation: {
    addPolicyVersion: (_parent, { input: { scope, ...version } }, { core, principal }) =>
      core.policies.addVersion(principal, { scope: scopeOf(scope), ...version }),
    enablePolicy: (_parent, { input: { scope, version } }, { core, principal }) =>
      core.policies.enable(principal, { scope: scopeOf(scope), version }),
    disablePolicy: (_parent, { input: { scope } }, { core, principal }) =>
      core.policies.disable(principal, { scope: scopeOf(scope) }),
  },
  PolicyConnection: connection,
  PolicyVersionConnection: connection,
  Policy: {
    id: ({ _id }) => `policy_${_id}`,
    scope: ({ kind }) => kind,
    enabledVersion: ({ _id, enabled }, _args, { loaders }) =>
      enabled ? loaders.load(versionLoader, versionId(_id, enabled.version)) : null,
    enabledBy: ({ enabled }) => (enabled ? { subject: enabled.by } : null),
    enabledAt: ({ enabled }) => enabled?.at ?? null,
    newestVersion: ({ newest }) => newest,
    versions: async ({ _id: policyId }, { first, after }, { loaders }) => {
      const page = await loaders.load(versionsLoader, { policyId, first: first ?? 20, after });
      if (page) return page;
      throw new Error(`the versions of ${policyId} were not read`);
    },
  },
  PolicyVersion: {
    author: ({ author: subject }) => ({ subject }),
    rules: ({ content }) => content.rules,
    placement: ({ content }) => content.placement ?? null,
  },
  AttemptDecision: {
    policy: ({ policyId }, _args, { loaders }) =>
      policyId === undefined ? null : loaders.load(policyLoader, policyId),
    policyVersion: ({ version }) => version ?? null,
    limits: ({ limits }) => limits ?? [],
    effects: ({ effects }) => effects ?? [],
    avoidedHosts: ({ avoid }) => avoid?.hosts ?? [],
    avoidedSites: ({ avoid }) => avoid?.sites ?? [],
    avoidedUntil: ({ avoid }) => avoid?.until ?? null,
    isAvoidanceRequired: ({ avoid }) => avoid?.isRequired ?? false,
  },
  DecisionEffect: {
    policyVersion: ({ version }) => version,
    until: ({ until }) => until ?? null,
  },
  PolicySimulationResult: {
    simulation: ({ simulation }) => simulation && { ...simulation, ...simulation.totals },
  },
  PolicySimulation: {
    savedCoreHours: ({ savedCoreSeconds }) => hoursOf(savedCoreSeconds),
    savedGpuHours: ({ savedGpuSeconds }) => hoursOf(savedGpuSeconds),
    addedCoreHours: ({ addedCoreSeconds }) => hoursOf(addedCoreSeconds),
    addedGpuHours: ({ addedGpuSeconds }) => hoursOf(addedGpuSeconds),
    addedMemoryGibHours: ({ addedMemoryMiBSeconds }) => hoursOf(addedMemoryMiBSeconds / 1024),
  },
  PolicySimulationSample: { job: jobReference(({ jobId }: SimulatedChange) => jobId) },
};

function hoursOf(seconds: number): number {
  return seconds / 3600;
}

// The scope decides which right is needed; the service checks it.
export const policyPolicies: Policies = {
  'Query.policy': { action: 'experiment:read' },
  'Query.policies': { action: 'experiment:read' },
  'Query.simulatePolicy': { action: 'policy:set', perPrincipal: true },
  'Mutation.addPolicyVersion': { action: 'policy:set' },
  'Mutation.enablePolicy': { action: 'policy:set' },
  'Mutation.disablePolicy': { action: 'policy:set' },
};
