// A real pilot runs jobs with secrets and tokens in a sandbox, behind a real gateway and a real core. The
// stories share the system, and run in this order.
import { beforeAll } from '@jest/globals';
import { startStage } from './secrets/stage.js';
import './secrets/delivery.stories.js';
import './secrets/tokens.stories.js';
import './secrets/confinement.stories.js';

beforeAll(startStage);
