/** Larkspur's own actions, beside core's. ADMIN has them always. */
import { defineActions } from '@rhizome/authz';

export const actions = defineActions('larkspur', {
  'larkspurObservation:read': ['OPERATOR', 'PRODUCTION', 'USER', 'READER', 'SERVICE'],
  'larkspurObservation:submit': ['PRODUCTION', 'USER'],
});
