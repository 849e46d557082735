/** Roles that a person took for a short time, as tokens name them. */
import type { z } from 'zod';
import type { Role } from './actions.js';
import { grant, name, numericDate } from './claim-forms.js';

/** The elevation that a token belongs to. Its roles are among the grants of the token. */
export interface ElevationReference {
  readonly id: string;
  readonly experiment: string;
  readonly roles: readonly Role[];
  /** Time at which the elevation ends. */
  readonly until: Date;
}

/** The claim. */
export const elevationClaim = grant.extend({ id: name, until: numericDate });

/** Writes the claim. */
export function writeElevation({ until, ...rest }: ElevationReference): z.input<typeof elevationClaim> {
  const { id, experiment, roles } = rest;
  return { id, experiment, roles: [...roles], until: Math.floor(until.getTime() / 1000) };
}

/** Reads the claim. */
export function readElevation({ until, ...rest }: z.output<typeof elevationClaim>): ElevationReference {
  return { ...rest, until: new Date(until * 1000) };
}
