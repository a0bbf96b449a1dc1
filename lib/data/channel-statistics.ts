import { centreOffset, cropSideOf } from './geometry';
import type { ChannelTriple } from './store';

/**
 * Mean and standard deviation of each channel over the centre crops of many source squares, in 0..1.
 *
 * It counts how often each of the 256 values occurs: exact, and the same whatever the order of the images.
 */
export class ChannelStatistics {
  private readonly counts = [0, 1, 2].map(() => new Float64Array(256));
  private readonly crop: number;
  private readonly offset: number;

  /** @param side - side of the source squares in pixels */
  constructor(private readonly side: number) {
    this.crop = cropSideOf(side);
    this.offset = centreOffset(side, this.crop);
  }

  /** @param square - `[side, side, 3]` */
  add(square: Uint8Array): void {
    const [red, green, blue] = this.counts;
    for (let row = this.offset; row < this.offset + this.crop; row++) {
      const start = (row * this.side + this.offset) * 3;
      for (let index = start; index < start + this.crop * 3; index += 3) {
        red[square[index]]++;
        green[square[index + 1]]++;
        blue[square[index + 2]]++;
      }
    }
  }

  result(): { readonly mean: ChannelTriple; readonly deviation: ChannelTriple } {
    const moments = this.counts.map((counts) => {
      const total = counts.reduce((sum, count) => sum + count, 0);
      const mean = counts.reduce((sum, count, value) => sum + count * value, 0) / total;
      const variance = counts.reduce((sum, count, value) => sum + count * (value - mean) ** 2, 0) / total;
      return { mean: mean / 255, deviation: Math.sqrt(variance) / 255 };
    });
    const [red, green, blue] = moments;
    return {
      mean: [red.mean, green.mean, blue.mean],
      deviation: [red.deviation, green.deviation, blue.deviation],
    };
  }
}
