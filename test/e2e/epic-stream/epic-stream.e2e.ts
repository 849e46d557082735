// The short form of the story; `epic-stream.soak.ts` has the long one.
import { epicStreamStory } from './story.js';

const workers = { workers: 4, perPilot: 2, batch: 15, leaseSeconds: 5 };
epicStreamStory({ seconds: 15, slicesPerFrame: 15, workSeconds: 0.05, ...workers });
