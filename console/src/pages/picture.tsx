// The photographed list, upright: cut out around a place, or whole with the place marked.
import { api, ask, type Schemas } from "../api/client.ts";

export type Place = NonNullable<Schemas["Cell"]["place"]>;

export interface Photo {
  url: string;
  /** How it is turned to be upright, as Exif counts. */
  orientation: number;
  /** In pixels, as it is stored. */
  width: number;
  height: number;
}

/** By a link that is good for minutes; nothing if the picture is gone. */
export async function photoOf(sheetId: string): Promise<Photo | null> {
  const answer = await ask(api.GET("/sheets/{sheetId}/picture", { params: { path: { sheetId } } }));
  if (!answer.done) return null;
  const image = new Image();
  image.src = answer.value.url;
  try {
    await image.decode();
  } catch {
    return null;
  }
  return { ...answer.value, width: image.naturalWidth, height: image.naturalHeight };
}

/**
 * The photo as its rows tell that it was taken: further rows are further down. Whoever photographs a table from the side
 * leaves no other trace of it.
 */
export function uprightBy(rows: Schemas["SheetRow"][], photo: Photo): Photo {
  const placed = rows.flatMap(({ cells }) => cells.flatMap(({ field, place }) => (place ? [{ field, place }] : [])));
  const first = placed[0];
  const last = placed.findLast(({ field }) => field === first?.field);
  if (!first || !last || first === last) return photo;
  const across = (last.place.left - first.place.left) * photo.width;
  const down = (last.place.top - first.place.top) * photo.height;
  const sideways = Math.abs(across) > Math.abs(down);
  return { ...photo, orientation: sideways ? (across > 0 ? 6 : 8) : down > 0 ? 1 : 3 };
}

/** From the pixels as they are stored to those of the upright picture. */
function turned({ orientation, width: w, height: h }: Photo): DOMMatrix {
  const ways = [
    [1, 0, 0, 1, 0, 0],
    [-1, 0, 0, 1, w, 0],
    [-1, 0, 0, -1, w, h],
    [1, 0, 0, -1, 0, h],
    [0, 1, 1, 0, 0, 0],
    [0, 1, -1, 0, h, 0],
    [0, -1, -1, 0, h, w],
    [0, -1, 1, 0, 0, w],
  ];
  return new DOMMatrix(ways[orientation - 1] ?? ways[0]);
}

interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
}

function boxOf(photo: Photo, { left, top, width, height }: Omit<Place, "page">): Box {
  const turn = turned(photo);
  const one = turn.transformPoint({ x: left * photo.width, y: top * photo.height });
  const other = turn.transformPoint({ x: (left + width) * photo.width, y: (top + height) * photo.height });
  return { x: Math.min(one.x, other.x), y: Math.min(one.y, other.y), width: Math.abs(one.x - other.x), height: Math.abs(one.y - other.y) };
}

const ALL = { left: 0, top: 0, width: 1, height: 1 };

/** With what stands around it: a word is read by its neighbours. */
function around({ x, y, width, height }: Box): Box {
  const wide = Math.max(width * 1.3, height * 6);
  const high = height * 2.6;
  return { x: x + (width - wide) / 2, y: y + (height - high) / 2, width: wide, height: high };
}

interface Props {
  photo: Photo;
  label: string;
  place?: Place | undefined;
}

export function CutOut({ photo, label, place }: Props & { place: Place }) {
  return <Drawn photo={photo} label={label} look="cut-out" box={around(boxOf(photo, place))} />;
}

export function Whole({ photo, label, place }: Props) {
  return <Drawn photo={photo} label={label} look="whole" box={boxOf(photo, ALL)} mark={place && boxOf(photo, place)} />;
}

function Drawn({ photo, label, look, box, mark }: { photo: Photo; label: string; look: string; box: Box; mark?: Box | undefined }) {
  const { a, b, c, d, e, f } = turned(photo);
  return (
    <svg class={look} viewBox={`${box.x} ${box.y} ${box.width} ${box.height}`} role="img" aria-label={label}>
      <image href={photo.url} width={photo.width} height={photo.height} preserveAspectRatio="none" transform={`matrix(${[a, b, c, d, e, f].join(" ")})`} />
      {mark && <rect class="mark" {...mark} rx={mark.height / 6} />}
    </svg>
  );
}
