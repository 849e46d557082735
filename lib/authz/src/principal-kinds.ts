/**
 * Kinds of principals: a person, an experiment's service, a worker agent, or software acting for a person.
 */
export const principalKinds = ['HUMAN', 'SERVICE', 'PILOT', 'AGENT'] as const;

/** One of {@link principalKinds}. */
export type PrincipalKind = (typeof principalKinds)[number];
