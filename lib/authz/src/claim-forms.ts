/** Forms of values in claims. */
import { z } from 'zod';
import { roles } from './actions.js';

/**
 * Text that identifies somebody: without control characters, line separators and invisible or
 * direction-changing characters, which would let one name look like another one.
 */
export const name = z
  .string()
  .min(1)
  .max(255)
  .refine((text) => !/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u.test(text), {
    message: 'contains a control or invisible character',
  });

/** Maximum number of groups of one principal: their ids fit into a call token next to its other claims. */
export const maxGroups = 100;

/** Maximum number of linked identities of one person. */
export const maxIdentities = 10;

/** Roles in an experiment, in tokens and answers. */
export const grant = z.object({
  experiment: z.string().min(1).max(100),
  roles: z.array(z.enum(roles)).max(roles.length),
});

/** Seconds since 1970 up to the year 9999; a JavaScript date holds them. */
export const numericDate = z.number().min(0).max(253_402_300_799);
