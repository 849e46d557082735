// As epic-stream.e2e.ts, for a minute with thirty workers.
import { epicStreamStory } from './story.js';

const workers = { workers: 30, perPilot: 6, batch: 4, leaseSeconds: 15 };
epicStreamStory({ seconds: 60, slicesPerFrame: 15, workSeconds: 0.5, ...workers });
