/** Larkspur's own actions, in addition to core's. ADMIN always has them. */
import { defineActions } from '@rhizome/authz';

export const actions = defineActions('larkspur', {
  'larkspurObservation:read': ['OPERATOR', 'PRODUCTION', 'USER', 'READER', 'SERVICE'],
  'larkspurObservation:submit': ['PRODUCTION', 'USER'],
});
