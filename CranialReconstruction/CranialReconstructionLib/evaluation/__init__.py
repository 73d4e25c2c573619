"""The field's metrics, for a case or a cohort, by the definitions that make published numbers comparable.

- ``box``               the part of a volume that a metric needs
- ``overlap``           Dice and boundary Dice
- ``surface_distance``  Hausdorff distances, mean surface distance, surface Dice
- ``case``              every metric of one prediction against its truth
- ``matching``          which prediction belongs to which truth and which skull
- ``cohort``            many cases: averages, failures, paired test
- ``tables``            a cohort on the terminal, as JSON and as CSV

Arrays are boolean (K, J, I); ``spacing`` beside an array is in the array's own order, (K, J, I), in
millimetres. The axes are taken to be perpendicular.
"""
