/** Resolvers of consents: unpack, call, map. */
import type { OwnRule, Policies, PolicyCall } from '@rhizome/authz';
import { experimentNamed } from '../../jobs/graphql/experiment-of.js';
import type { Resolvers } from '../../types.generated.js';

export const consentResolvers: Pick<Resolvers, 'Mutation' | 'SubmissionConsent'> & {
  readonly Viewer: Pick<NonNullable<Resolvers['Viewer']>, 'submissionConsents'>;
} = {
  Mutation: {
    allowSubmissionOnBehalf: (_parent, { input }, { core, principal }) =>
      core.consents.allow(principal, input),
    withdrawSubmissionConsent: async (_parent, { input }, { core, principal }) => ({
      isWithdrawn: await core.consents.withdraw(principal, input.experiment),
      userErrors: [],
    }),
  },
  Viewer: {
    submissionConsents: (_parent, _args, { core, principal }) => core.consents.of(principal),
  },
  SubmissionConsent: {
    experiment: ({ experiment }, _args, context) => experimentNamed(experiment, context),
    experimentName: ({ experiment }) => experiment,
    secretNames: ({ secretNames = [] }) => secretNames,
  },
};

const person: OwnRule = {
  rule: 'a consent is given and withdrawn by the person',
  holds: ({ principal }) => principal.kind === 'HUMAN',
};
const experimentOf = ({ args }: PolicyCall): string =>
  (args as { input: { experiment: string } }).input.experiment;

export const consentPolicies: Policies = {
  'Mutation.allowSubmissionOnBehalf': { action: 'job:submit', experiment: experimentOf, own: person },
  // Also for a person who may no longer submit.
  'Mutation.withdrawSubmissionConsent': { own: person },
  'Viewer.submissionConsents': { open: 'a caller may read its own consents', perPrincipal: true },
};
