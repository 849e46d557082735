import type { Root } from 'mdast';

/** Time after which a text is shown unparsed, in milliseconds. */
const parseWithinMs = 3000;

/** Tree of a Markdown text; null if it cannot be parsed within some seconds. */
export async function parsedMarkdown(text: string, signal: AbortSignal): Promise<Root | null> {
  const worker = new Worker(new URL('./markdown-worker.ts', import.meta.url), { type: 'module' });
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    return await new Promise((resolve) => {
      const giveUp = (): void => resolve(null);
      timer = setTimeout(giveUp, parseWithinMs);
      signal.addEventListener('abort', giveUp, { once: true });
      worker.onmessage = ({ data }: MessageEvent<Root>) => resolve(data);
      worker.onerror = giveUp;
      worker.onmessageerror = giveUp;
      worker.postMessage(text);
    });
  } finally {
    clearTimeout(timer);
    worker.terminate();
  }
}
