import { z } from '@rhizome/config';

/** Settings of proposals of agents. */
export const agentSettings = z
  .strictObject({
    /** `off` keeps no proposals. */
    mode: z.enum(['on', 'off']).default('on'),
    /** Store of proposals; default: that of the schema registry. Without a store there are none. */
    mongoUri: z.string().min(1).optional(),
    /** Name of the database with proposals; default: that of the schema registry. */
    database: z.string().min(1).optional(),
    /** Experiments whose proposals another person than that of the proposal must decide. */
    fourEyes: z.array(z.string().min(1)).default([]),
    /** Days for which a denied change cannot be proposed again. */
    denialDays: z.number().int().min(0).max(80).default(7),
    /** Proposals of a person that may wait at once. */
    openLimit: z.number().int().min(1).max(10_000).default(200),
  })
  .default({ mode: 'on', fourEyes: [], denialDays: 7, openLimit: 200 });
