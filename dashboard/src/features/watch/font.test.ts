import { describe, expect, it } from "vitest";

import { fontThatFits, Scaling } from "./font";

const cell = { width: 8, height: 16 };

describe("the font of a terminal that is watched", () => {
  it("fills the room and no more", () => {
    expect(fontThatFits({ rows: 24, columns: 80 }, { width: 654, height: 384 }, cell, 13)).toBe(13);
    expect(fontThatFits({ rows: 24, columns: 80 }, { width: 334, height: 384 }, cell, 13)).toBe(6.5);
    expect(fontThatFits({ rows: 24, columns: 80 }, { width: 2000, height: 200 }, cell, 13)).toBe(6.75);
  });

  it("stays between what can be read and what is still a terminal", () => {
    expect(fontThatFits({ rows: 24, columns: 400 }, { width: 300, height: 600 }, cell, 13)).toBe(4);
    expect(fontThatFits({ rows: 10, columns: 20 }, { width: 1600, height: 900 }, cell, 13)).toBe(20);
  });

  it("is found although cells have whole numbers of pixels", () => {
    for (const room of [{ width: 1268, height: 804 }, { width: 378, height: 744 }, { width: 60, height: 30 }]) {
      const size = { rows: 52, columns: 135 };
      const drawn = (font: number) => ({ width: font * 0.602, height: Math.ceil(font * 1.164) });
      const scaling = new Scaling();
      let font = 13;
      let tries = 0;
      for (let next = 20; next !== font && tries < 50; tries += 1) {
        font = next;
        next = scaling.next(size, room, drawn(font), font);
      }
      expect(tries).toBeLessThan(12);
      if (room.width > 60) expect(drawn(font).height * size.rows).toBeLessThanOrEqual(room.height);
      else expect(font).toBe(4);
    }
  });
});
