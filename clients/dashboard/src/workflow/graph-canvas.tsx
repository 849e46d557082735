/** Boxes and arrows of a graph, with zoom and keys. */
import { type KeyboardEvent, useCallback, useEffect, useRef, useState } from 'react';
import type { WorkflowNodeState } from '../operations.generated.js';
import { type Arrow, type Box, type BoxGraph, countsOf, type LabelLayer } from './fold.js';
import { GraphBox, sizeOf } from './graph-box.js';
import {
  type Direction,
  type GraphLayout,
  layOut,
  nextSpot,
  pathOf,
  type Point,
  type SizedBox,
} from './layout.js';

interface Props {
  /** The workflow. */
  readonly id: string;
  readonly graph: BoxGraph;
  readonly layers: readonly LabelLayer[];
  /** State of the nodes that opened boxes show; null for all. */
  readonly state: WorkflowNodeState | null;
  readonly changes: number;
  /** Name of the node whose details are shown. */
  readonly chosen: string | null;
  readonly onChoose: (name: string) => void;
}

const directions: Readonly<Record<string, Direction>> = {
  ArrowUp: 'up',
  ArrowDown: 'down',
  ArrowLeft: 'left',
  ArrowRight: 'right',
};
const zooms = { least: 0.3, most: 1.5, step: 1.25 };

/** Shows a graph. Arrow keys go from box to box; opened boxes show their nodes. */
export function GraphCanvas({ id, graph, layers, state, changes, chosen, onChoose }: Props) {
  const [pages, setPages] = useState<ReadonlyMap<string, number>>(new Map());
  const [current, setCurrent] = useState<string>();
  const boxes = graph.boxes.map((box) => {
    const counts = countsOf(box, layers);
    const shownPages = pages.get(box.id) ?? 0;
    return { box, counts, pages: shownPages, size: sizeOf(box, counts, state, shownPages) };
  });
  const sized = boxes.map(({ box, size }) => ({ id: box.id, ...size }));
  const layout = useLayout(sized, graph.arrows);
  const [view, zoom, zoomBy, fit] = useZoom(layout);
  const setOpen = useCallback((boxId: string, count: number) => {
    setPages((before) => new Map(before).set(boxId, count));
  }, []);
  if (!layout) return <p className="muted">The graph is being laid out.</p>;
  const tabStop = current ?? graph.boxes[0]?.id;
  return (
    <div className="workflow-graph">
      <div className="workflow-zoom">
        <button type="button" aria-label="Zoom out" onClick={() => zoomBy(1 / zooms.step)}>
          −
        </button>
        <button type="button" aria-label="Zoom in" onClick={() => zoomBy(zooms.step)}>
          +
        </button>
        <button type="button" onClick={fit}>
          Fit
        </button>
      </div>
      <div
        ref={view}
        className="workflow-canvas"
        role="group"
        aria-label="Graph of the workflow; arrow keys go from box to box"
        onKeyDown={goByKey}
      >
        <div style={{ width: layout.width * zoom, height: layout.height * zoom }}>
          <div
            className="workflow-plane"
            style={{ width: layout.width, height: layout.height, transform: `scale(${zoom})` }}
          >
            <Arrows layout={layout} near={current} />
            {inReadingOrder(boxes, layout).map(({ at, ...shown }) => (
              <GraphBox
                key={shown.box.id}
                workflowId={id}
                {...shown}
                at={at}
                state={state}
                changes={changes}
                chosen={chosen}
                tabStop={tabStop}
                onFocus={setCurrent}
                onOpen={setOpen}
                onChoose={onChoose}
              />
            ))}
          </div>
        </div>
      </div>
    </div>
  );
}

/** The tab key and readers go through the boxes as one reads them. */
function inReadingOrder<Shown extends { readonly box: Box }>(
  boxes: readonly Shown[],
  { boxes: places }: GraphLayout,
): readonly (Shown & { readonly at: Point })[] {
  const placed = boxes.map((shown) => ({ ...shown, at: places.get(shown.box.id) ?? { x: 0, y: 0 } }));
  return placed.sort(({ at: one }, { at: other }) => one.y - other.y || one.x - other.x);
}

/** The positions; those of before while others are computed. Numbers of nodes do not move anything. */
function useLayout(boxes: readonly SizedBox[], arrows: readonly Arrow[]): GraphLayout | undefined {
  const [layout, setLayout] = useState<GraphLayout>();
  const key = JSON.stringify([boxes, arrows]);
  useEffect(() => {
    let isOver = false;
    const [sized, linked] = JSON.parse(key) as [SizedBox[], Arrow[]];
    void layOut(sized, linked).then((found) => {
      if (!isOver) setLayout(found);
    });
    return () => {
      isOver = true;
    };
  }, [key]);
  // A box that is new has no place yet.
  return layout && boxes.every(({ id }) => layout.boxes.has(id)) ? layout : undefined;
}

function useZoom(layout: GraphLayout | undefined) {
  const view = useRef<HTMLDivElement>(null);
  const [zoom, setZoom] = useState(1);
  const fit = (): void => {
    const width = view.current?.clientWidth ?? 0;
    if (layout && width > 0) setZoom(Math.min(1, Math.max(zooms.least, width / layout.width)));
  };
  const isShown = layout !== undefined;
  useEffect(fit, [isShown]);
  const zoomBy = (factor: number): void =>
    setZoom((before) => Math.min(zooms.most, Math.max(zooms.least, before * factor)));
  return [view, zoom, zoomBy, fit] as const;
}

function goByKey(event: KeyboardEvent<HTMLElement>): void {
  const direction = directions[event.key];
  const from = document.activeElement;
  if (direction === undefined || !from || from.closest('[data-spot]') === null) return;
  const elements = [...event.currentTarget.querySelectorAll<HTMLElement>('[data-spot]')];
  const spots = elements.map((element, at) => ({ id: String(at), ...middleOf(element) }));
  const next = nextSpot(middleOf(from), spots, direction);
  event.preventDefault();
  elements[Number(next?.id ?? -1)]?.focus();
}

function middleOf(element: Element): { readonly x: number; readonly y: number } {
  const { left, top, width, height } = element.getBoundingClientRect();
  return { x: left + width / 2, y: top + height / 2 };
}

function Arrows({ layout, near }: { layout: GraphLayout; near: string | undefined }) {
  return (
    <svg width={layout.width} height={layout.height} aria-hidden="true">
      <defs>
        {['far', 'near'].map((kind) => (
          <marker
            key={kind}
            id={`head-${kind}`}
            className={`arrow-head arrow-head-${kind}`}
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="8"
            markerHeight="8"
            orient="auto"
            markerUnits="userSpaceOnUse"
          >
            <path d="M0 0.5 L8 4 L0 7.5 Z" />
          </marker>
        ))}
      </defs>
      {layout.arrows.map(({ from, to, points }) => {
        const kind = from === near || to === near ? 'near' : 'far';
        const className = `arrow arrow-${kind}`;
        return (
          <path
            key={`${from}\n${to}`}
            d={pathOf(points)}
            className={className}
            markerEnd={`url(#head-${kind})`}
          />
        );
      })}
    </svg>
  );
}
