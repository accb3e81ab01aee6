"""States' own counts in a forecast of months: its draws conditioned on them, whatever the model.

The months ``x`` of a draw, on the log scale (those that complete CDC's last counts, and those
ahead), are moved by Matheron's rule to ``y``, the logs of the months that states have counted, on
CDC's scale::

    x + C[:, o] (C[o, o] + R)^-1 (y - x_o - e),   e ~ N(0, R)

``o`` are the months counted, ``C`` the covariance of the months and ``R`` that of the errors.

**A model that knows its covariance** (:class:`~odforecast.models.own.joint.Linear`) is conditioned
on all files at once, all of its places together. In ``dlm`` the log months are linear in normals:
what the filter knows of levels, slopes and late arrivals, and what is drawn after it
(:func:`odforecast.models.statespace.model.log_months`). So other places move through their region
and the nation, as far as the filter says, and the own counts of open months tell of late arrivals
elsewhere, too. A file that lies far from what the forecast and all the other files say of its
months moves its own place alone, and that is said.

**Any other model** is moved place by place, by the covariance of its draws; places without own
counts stay. In a sample of D draws a covariance that is zero comes out as about ``1/sqrt(D)``:
correlations are shrunk towards none by what their own sampling error calls for (Schäfer &
Strimmer 2005), so that few draws move less, not wildly.

**The scale.** Months are known from CDC's sums up to a constant for each calendar month. So the
state's counts, divided by the ratio of its 12-month sums to CDC's, are compared calendar month by
calendar month, and what is left gives the constant: a new month is CDC's of a year before and what
the state's count changed since. ``R`` has

- the drift of that ratio since the months that both have: a random walk whose step is learned from
  its changes over the years (of 12-month means, whose differences have two thirds of the walk's
  variance: the rest is given back), with the usual change of counts by residence over those by
  occurrence as its prior; months far ahead share it;
- counting in two systems: the variance of a month is ``phi`` times its deaths, ``phi`` from what is
  left over, with a year of Poisson noise as its prior; and the constant's own error;
- late arrivals: how far the state's counts are filled up; months of nearly one age share the
  error, and files that are taken to fill up as CDC's counts do share what CDC's releases share.

**Late arrivals.** Of a month ``a`` months old the share ``alpha exp(-delta a)`` is still to come.
Where the file has several days for its months, both numbers are fitted to those; else they are what
CDC's counts showed, and its spread is doubled, for nothing says that the state is as quick. Many
files end in a month of which a tenth is there. Where such an end is likelier than that a place's
deaths fell as far, those months are not used, and that is said.
"""

from odforecast.models.own.condition import LEAST_DRAWS, check_target, conditioned

__all__ = ["LEAST_DRAWS", "check_target", "conditioned"]
